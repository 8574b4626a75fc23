# Functions that the other scripts share. Source it with "." from the top folder.

# say announces a step, with the minutes and seconds that have passed since the
# first script began.
: "${LINKSPAN_SCRIPT_BEGAN:=$(date +%s)}"
export LINKSPAN_SCRIPT_BEGAN
say() {
	took=$(($(date +%s) - LINKSPAN_SCRIPT_BEGAN))
	printf '\n== %d:%02d %s\n' $((took / 60)) $((took % 60)) "$*" >&2
}

die() {
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
	exit 1
}

# as_root runs a command as root, through sudo where that is needed.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "installing packages needs root: run as root, install sudo, or run yourself: $*"
	fi
}

# need_package installs a Debian package unless the command is there.
need_package() {
	command=$1
	shift
	command -v "$command" >/dev/null && return
	command -v apt-get >/dev/null || die "$command is missing; install it (on Debian: $*)"
	say "installing $*"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq >&2
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >&2
}
