# Sourced by run and long: environments beside the README's.

python_of() { # minor versions of Python 3, the preferred one first
    # On the path, or among pyenv's, which need not be active.
    for version in "$@"; do
        for python in "python3.$version" "${PYENV_ROOT:-$HOME/.pyenv}/versions/3.$version."*/bin/python3; do
            if "$python" -c 'import ensurepip' > /dev/null 2>&1; then
                echo "$python"
                return
            fi
        done
    done
}

make() { # environment, Python, arguments of pip
    # Most modules of the dependencies are never imported: compiling all takes longer than the tests.
    "$2" -m venv --clear "$1" && "$1/bin/pip" install --quiet --no-compile --only-binary :all: "${@:3}"
}

install_chromium() {
    # For the tests of the report's page. They are skipped where it can't be installed.
    if command -v chromedriver > /dev/null || ! command -v apt-get > /dev/null; then
        return
    fi
    local root=()
    [ "$(id -u)" -eq 0 ] || root=(sudo -n)
    if timeout 60 "${root[@]}" apt-get update -qq > /dev/null 2>&1 \
        && timeout 150 "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends chromium chromium-driver > /dev/null 2>&1; then
        echo "installed chromium"
    else
        echo "no chromium: the tests of the page in a browser are skipped"
    fi
}

# The oldest Python for which the oldest dependencies have wheels, and the newest one there is.
oldest="$(python_of 11 12 13)"
newest="$(python_of 16 15 14 13)"
