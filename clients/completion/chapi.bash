# SPDX-License-Identifier: MIT
# Completion for bash: chapi-call, chapi-ctl, chapi-serve. Names and parameters are asked of the
# gateway, options of the program itself.

# The gateway that the command line is about.
_chapi_socket() {
    local i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            -s | --socket) printf '%s\n' "${COMP_WORDS[i + 1]}" ;;
        esac
    done
}

# _chapi_ask WORD...: from the gateway, one a line.
_chapi_ask() {
    local socket
    socket=$(_chapi_socket)
    chapi-ctl ${socket:+-s "$socket"} complete "$@" 2>/dev/null
}

# _chapi_offer WORDS: those of them that begin as what is typed.
_chapi_offer() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_chapi_options() {
    _chapi_offer "$("$@" --help 2>/dev/null | grep -oE -- '--[a-z][a-z-]*' | sort -u)"
}

# The number-th word that is no option and no option's value; empty: there is none before the cursor.
_chapi_argument() {
    local i n=0
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            -d | --data | -t | --timeout | --to | -o | --output | --ok | --retry | -s | --socket | \
                -k | --kinds | --count) ((i++)) ;;
            -*) ;;
            *) ((++n == $1)) && printf '%s\n' "${COMP_WORDS[i]}" ;;
        esac
    done
}

_chapi_call() {
    local api
    api=$(_chapi_argument 1)
    if [[ -z $api ]]; then
        _chapi_offer "$(_chapi_ask names)"
    else
        compopt -o nospace
        _chapi_offer "$(_chapi_ask params "$api" | sed 's/$/=/')"
    fi
}

_chapi_ctl() {
    case $(_chapi_argument 1) in
        '') _chapi_offer "$(chapi-ctl complete 2>/dev/null)" ;;
        describe | stats | wait | pause | resume | drain | unregister | list | monitor)
            _chapi_offer "$(_chapi_ask names)" ;;
        log-level) _chapi_offer 'error warn info debug' ;;
    esac
}

_chapi() {
    local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    case $before in
        -s | --socket | -o | --output | --textfile | --from)
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            return ;;
    esac
    if [[ $cur == -* ]]; then
        if [[ $1 == *chapi-ctl && -n $(_chapi_argument 1) ]]; then
            _chapi_options "$1" "$(_chapi_argument 1)"
        else
            _chapi_options "$1"
        fi
        return
    fi
    case $1 in
        *chapi-call) _chapi_call ;;
        *chapi-ctl) _chapi_ctl ;;
        *chapi-serve) mapfile -t COMPREPLY < <(compgen -c -- "$cur") ;;
    esac
}

complete -F _chapi chapi-call chapi-ctl chapi-serve
