# SPDX-License-Identifier: MIT
# Completion for bash: chapi-call, chapi-ctl, chapi-serve. Names and parameters are asked of the
# gateway; options, and what they take, are read in what the program says of itself.

# _chapi_takes OPTION HELP: FILE, TIME, ... when it takes a value.
_chapi_takes() {
    [[ $1 =~ ^--?[a-z][a-z-]*$ && $2 =~ (^|[[:space:]])$1(, --[a-z-]+)?' '([A-Z]+) ]] &&
        printf '%s\n' "${BASH_REMATCH[3]}"
}

# What stands before the cursor: into the caller's arguments, help (of its command, if it has any),
# socket, and takes: what is to come is the value of an option.
_chapi_read() {
    local i word
    help=$("$1" --help 2>/dev/null)
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        takes=$(_chapi_takes "$word" "$help")
        if [[ -n $takes ]]; then
            [[ ${COMP_WORDS[i + 1]} == '=' ]] && ((i++))
            ((++i < COMP_CWORD)) || return
            [[ $word == -s || $word == --socket ]] && socket=${COMP_WORDS[i]}
            takes=
        elif [[ $word != -* ]]; then
            arguments+=("$word")
            [[ $1 != *chapi-ctl || ${#arguments[@]} != 1 ]] || help=$("$1" "$word" --help 2>/dev/null)
        fi
    done
}

# From the gateway, one a line.
_chapi_ask() {
    chapi-ctl ${socket:+-s "$socket"} complete "$@" 2>/dev/null
}

# _chapi_offer WORDS: those of them that begin as what is typed.
_chapi_offer() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_chapi_offer_files() {
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen -f -- "${cur#=}")
}

_chapi_call() {
    if ((${#arguments[@]} == 0)); then
        _chapi_offer "$(_chapi_ask names)"
    else
        compopt -o nospace
        _chapi_offer "$(_chapi_ask params "${arguments[0]}" | sed 's/$/=/')"
    fi
}

_chapi_ctl() {
    case ${arguments[0]-} in
        '') _chapi_offer "$(chapi-ctl complete 2>/dev/null)" ;;
        describe | stats | wait | pause | resume | drain | unregister | list | monitor)
            _chapi_offer "$(_chapi_ask names)" ;;
        log-level) _chapi_offer 'error warn info debug' ;;
    esac
}

_chapi() {
    local cur=${COMP_WORDS[COMP_CWORD]} help='' socket='' takes=''
    local -a arguments=()
    COMPREPLY=()
    _chapi_read "$1"
    case $takes in
        '') ;;
        FILE | PATH | FOLDER) _chapi_offer_files; return ;;
        *) return ;;
    esac
    case $1,$cur in
        *,-*) _chapi_offer "$(grep -oE -- '--[a-z][a-z-]*' <<<"$help" | sort -u)" ;;
        *chapi-call,*) _chapi_call ;;
        *chapi-ctl,*) _chapi_ctl ;;
        *chapi-serve,*) mapfile -t COMPREPLY < <(compgen -c -- "$cur") ;;
    esac
}

complete -F _chapi chapi-call chapi-ctl chapi-serve
