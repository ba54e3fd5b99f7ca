# SPDX-License-Identifier: MIT
# Completion for fish. Names and parameters are asked of the gateway; options, and what they take, are
# read in what the program says of itself.

# __chapi_takes OPTION HELP-LINE...: FILE, TIME, ... when it takes a value.
function __chapi_takes
    string match -q -r -- '^--?[a-z][a-z-]*$' $argv[1]
    and string match -r -g -- "(?:^|\s)$argv[1](?:, --[a-z-]+)? ([A-Z]+)" $argv[2..-1] | head -n 1
end

# What stands before the cursor, in variables: arguments, help (the program's own, or of its command),
# socket, and takes: what the option before the cursor takes. Read once a line.
function __chapi_read
    set -l words (commandline -opc)
    test "$words" != "$__chapi_words"; or return 0
    set -g __chapi_words $words
    set -g __chapi_help ($words[1] --help 2>/dev/null)
    set -g __chapi_arguments
    set -g __chapi_socket
    set -g __chapi_takes
    set -l option
    for word in $words[2..-1]
        if test -n "$__chapi_takes"
            contains -- $option -s --socket; and set __chapi_socket -s $word
            set __chapi_takes
        else if string match -q -- '--socket=*' $word
            set __chapi_socket -s (string replace -- '--socket=' '' $word)
        else if string match -q -- '-*' $word
            set option $word
            set __chapi_takes (__chapi_takes $word $__chapi_help)
        else
            set -a __chapi_arguments $word
            if test (count $__chapi_arguments) -eq 1; and string match -q '*chapi-ctl' $words[1]
                set __chapi_help ($words[1] $word --help 2>/dev/null)
            end
        end
    end
end

# __chapi_at NUMBER [COMMAND...]: is at the cursor an argument behind so many others ("-eq 0", "-gt 0"),
# the first of them one of these?
function __chapi_at
    __chapi_read
    test -z "$__chapi_takes"; and test (count $__chapi_arguments) $argv[1..2]; or return
    not set -q argv[3]; or contains -- $__chapi_arguments[1] $argv[3..-1]
end

function __chapi_at_value
    __chapi_read
    test -n "$__chapi_takes"
end

function __chapi_at_file
    __chapi_at_value; and contains -- $__chapi_takes FILE PATH FOLDER
end

function __chapi_ask
    chapi-ctl $__chapi_socket complete $argv 2>/dev/null
end

function __chapi_options
    __chapi_read
    string match -r -a -- '--[a-z][a-z-]*' $__chapi_help | sort -u
end

for tool in chapi-call chapi-ctl chapi-serve
    complete -c $tool -n 'string match -q -- "-*" (commandline -ct)' -a '(__chapi_options)'
    complete -c $tool -n __chapi_at_value -f
    complete -c $tool -n __chapi_at_file -F
end

complete -c chapi-call -f
complete -c chapi-call -n '__chapi_at -eq 0' -a '(__chapi_ask names)'
complete -c chapi-call -n '__chapi_at -gt 0' -a '(__chapi_ask params $__chapi_arguments[1])='

set -l takes_names describe stats wait pause resume drain unregister list monitor
complete -c chapi-ctl -f
complete -c chapi-ctl -n '__chapi_at -eq 0' -a '(chapi-ctl complete 2>/dev/null)'
complete -c chapi-ctl -n "__chapi_at -gt 0 $takes_names" -a '(__chapi_ask names)'
complete -c chapi-ctl -n '__chapi_at -eq 1 log-level' -a 'error warn info debug'

complete -c chapi-serve -n '__chapi_at -gt 0' -f -a '(__fish_complete_command)'
