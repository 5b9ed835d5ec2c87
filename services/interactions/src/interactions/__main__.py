"""python -m interactions api | worker | migrate."""

from common.service import run
from interactions.service import SERVICE

if __name__ == "__main__":
    run(SERVICE)
