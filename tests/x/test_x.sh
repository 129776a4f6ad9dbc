#!/bin/sh
# ./x as a stranger meets it: no command, a wrong one, and a machine that installs by itself.
set -u
cd "$WEIR_SOURCE" || exit 1
number=0
check() {
    number=$((number + 1))
    if [ "$2" = "$3" ]; then
        echo "ok $number - $1"
    else
        echo "not ok $number - $1"
        echo "# expected '$3', got '$2'"
    fi
}
echo 1..5
check 'without a command it says what there is' "$(./x | head -n 1)" 'usage: ./x COMMAND'
./x nonsense >/dev/null 2>&1
check 'an unknown command fails' $? 1
check 'an unknown command is named' "$(./x nonsense 2>&1 | tail -n 1)" "x: there is no command 'nonsense'"
check 'WEIR_DEPS=skip installs nothing' "$(WEIR_DEPS=skip ./x deps test 2>&1)" ''
for script in x tools/lint tools/make-package packaging/docker/make-root tools/meson/*; do
    case $(head -n 1 "$script") in '#!/bin/sh'*) ;; *) continue ;; esac
    sh -n "$script" || echo "$script"
done >"${TMPDIR:-/tmp}/x-syntax.$$" 2>&1
check 'the scripts are plain sh' "$(cat "${TMPDIR:-/tmp}/x-syntax.$$")" ''
rm -f "${TMPDIR:-/tmp}/x-syntax.$$"
