"""python -m interactions api | worker | migrate | republish people."""

from common.service import run
from interactions.service import SERVICE

if __name__ == "__main__":
    run(SERVICE)
