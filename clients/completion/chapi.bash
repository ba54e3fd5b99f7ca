# SPDX-License-Identifier: MIT
# Completion for bash: chapi-call, chapi-ctl, chapi-serve. Names and parameters are asked of the
# gateway; options, and what they take, are read in what the program says of itself.

# _chapi_takes OPTION HELP: FILE, TIME, ... when it takes a value.
_chapi_takes() {
    [[ $1 =~ ^--?[a-z][a-z-]*$ && $2 =~ (^|[[:space:]])$1(, --[a-z-]+)?' '([A-Z]+) ]] &&
        printf '%s\n' "${BASH_REMATCH[3]}"
}

# The words up to the cursor, into the caller's words. Readline begins a word at each colon, and names
# have some: what no blank parts is put together again.
_chapi_join() {
    local i rest word line=$COMP_LINE
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        rest=${line#"${line%%[![:blank:]]*}"}
        if ((i > 1)) && [[ $rest == "$line" && ($word == :* || ${words[-1]} == *:) ]]; then
            words[-1]+=$word
        else
            words+=("$word")
        fi
        line=${rest#"$word"}
    done
}

# What stands before the cursor: into the caller's arguments, help (of its command, if it has any),
# socket, and takes: what is to come is the value of an option.
_chapi_read() {
    local i word last=$((${#words[@]} - 1))
    help=$("$1" --help 2>/dev/null)
    for ((i = 1; i < last; i++)); do
        word=${words[i]}
        takes=$(_chapi_takes "$word" "$help")
        if [[ -n $takes ]]; then
            [[ ${words[i + 1]} == '=' ]] && ((i++))
            ((++i < last)) || return
            [[ $word == -s || $word == --socket ]] && socket=${words[i]}
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

# _chapi_offer WORDS: those of them, one a line, that begin as what is typed. Strangers chose them: they
# are never expanded (as compgen -W does), and what would be more than text in the line is left out.
_chapi_offer() {
    local word
    while IFS= read -r word; do
        [[ -n $word && $word == "$cur"* && $word != *[![:alnum:]_.:=-]* ]] && COMPREPLY+=("$word")
    done <<<"$1"
}

# Readline puts what is offered behind the last colon.
_chapi_trim() {
    local before=${cur%"${cur##*:}"}
    [[ $COMP_WORDBREAKS != *:* ]] || COMPREPLY=("${COMPREPLY[@]#"$before"}")
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
        log-level) _chapi_offer $'error\nwarn\ninfo\ndebug' ;;
    esac
}

_chapi_complete() {
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

_chapi() {
    local cur help='' socket='' takes=''
    local -a arguments=() words=()
    COMPREPLY=()
    _chapi_join
    cur=${words[-1]}
    _chapi_read "$1"
    _chapi_complete "$1"
    _chapi_trim
}

complete -F _chapi chapi-call chapi-ctl chapi-serve
