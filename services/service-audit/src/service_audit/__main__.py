"""python -m service_audit api | worker | migrate | republish failures."""

from common.service import run
from service_audit.service import SERVICE

if __name__ == "__main__":
    run(SERVICE)
