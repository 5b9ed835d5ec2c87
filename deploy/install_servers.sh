#!/usr/bin/env bash
# Installs what the real stack needs and this machine lacks: PostgreSQL, a Java runtime, Maven, make, Python's venv.
# It changes nothing where all of it is there, and says what to do where it cannot install.
set -euo pipefail

missing=()
have() { command -v "$1" >/dev/null 2>&1; }

have make || missing+=(make)
have java || missing+=(default-jre-headless)
have mvn || missing+=(maven)
have postgres || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || missing+=(postgresql)
have python3 || missing+=(python3)
python3 -c 'import ensurepip' >/dev/null 2>&1 || missing+=(python3-venv)

if ((${#missing[@]} == 0)); then
    exit 0
fi
if ! have apt-get || ((EUID != 0)); then
    echo "Missing: ${missing[*]}. Install them with the system's package manager (Debian's names), or run this as root." >&2
    exit 1
fi
echo "Installing ${missing[*]} ..."
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -y -q --no-install-recommends "${missing[@]}"
