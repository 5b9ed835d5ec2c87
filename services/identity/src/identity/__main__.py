"""python -m identity api | worker | migrate | republish KIND."""

from common.service import run
from identity.service import SERVICE

if __name__ == "__main__":
    run(SERVICE)
