# SPDX-License-Identifier: MIT
# Completion for fish. Names and parameters are asked of the gateway, options of the program itself.

function __chapi_options
    $argv --help 2>/dev/null | string match -r -a -- '--[a-z][a-z-]*' | sort -u
end

# The words before the cursor that are no options.
function __chapi_arguments
    string match -v -- '-*' (commandline -opc)[2..-1]
end

complete -c chapi-call -f
complete -c chapi-call -n 'test (count (__chapi_arguments)) -eq 0' -a '(chapi-ctl complete names 2>/dev/null)'
complete -c chapi-call -n 'test (count (__chapi_arguments)) -gt 0' \
    -a '(chapi-ctl complete params (__chapi_arguments)[1] 2>/dev/null)='
complete -c chapi-call -n 'string match -q -- "-*" (commandline -ct)' -a '(__chapi_options chapi-call)'

set -l takes_names describe stats wait pause resume drain unregister list monitor
complete -c chapi-ctl -f
complete -c chapi-ctl -n 'test (count (__chapi_arguments)) -eq 0' -a '(chapi-ctl complete 2>/dev/null)'
complete -c chapi-ctl -n "__fish_seen_subcommand_from $takes_names" -a '(chapi-ctl complete names 2>/dev/null)'
complete -c chapi-ctl -n '__fish_seen_subcommand_from log-level' -a 'error warn info debug'
complete -c chapi-ctl -n 'string match -q -- "-*" (commandline -ct)' \
    -a '(__chapi_options chapi-ctl (__chapi_arguments)[1])'

complete -c chapi-serve -n 'string match -q -- "-*" (commandline -ct)' -a '(__chapi_options chapi-serve)'
