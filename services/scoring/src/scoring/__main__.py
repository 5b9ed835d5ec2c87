"""python -m scoring api | worker | migrate | republish values."""

from common.service import run
from scoring.service import SERVICE

if __name__ == "__main__":
    run(SERVICE)
