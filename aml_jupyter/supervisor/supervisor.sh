# The supervisor of an image without Python: `sh -c "$(cat supervisor.sh)" supervisor.sh <control>`, in a container of its own.
# Writes the control files that supervise.py writes (see protocol.py), from control/launch.sh, which the service made of
# launch.json. Plain POSIX shell: dash, bash, busybox. There is no in-run client; the run's property aml.in_run_client says so.

control=$1
. "$control/launch.sh"  # sets token, epoch, cwd, max_seconds, grace, command_json, memory; exports; and the command as "$@"
attempt=$(dirname "$control")
# It ends whatever it can see: outside a container of its own, that would be everything.
if ! tr '\0' '\n' </proc/1/environ 2>/dev/null | grep -qxF "AML_ATTEMPT_TOKEN=$token"; then
    echo "supervisor.sh runs in a container of its own only" >&2
    exit 1
fi

say() { printf '%s %s\n' "$(date +%s)" "$1" >>"$control/supervisor_log.txt"; }
text() { printf '%s' "$1" | sed 's/\\/\\\\/g; s/"/\\"/g' | tr '\n\t' '  '; }
nap() { sleep "$1" 2>/dev/null || sleep 1; }
uptime() { cut -d. -f1 /proc/uptime; }
state() { sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null; }
start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
oom() { cat /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control 2>/dev/null | sed -n 's/^oom_kill //p' | head -n 1; }
wake() { [ -z "$pipe" ] || printf '%s' "$1" >&9; }

others() {  # every process of this container but the first one and this shell, zombies left out
    for entry in /proc/[0-9]*; do
        id=${entry#/proc/}
        [ "$id" = 1 ] || [ "$id" = $$ ] && continue
        case $(state "$id") in '' | Z | X) continue ;; esac
        [ "$(sed 's/.*) //' "$entry/stat" 2>/dev/null | cut -d' ' -f2)" = $$ ] && [ "$id" != "$process" ] && continue
        printf '%s ' "$id"
    done
}

end_all() {  # TERM, after the time $1 KILL, then a check
    kill -TERM -1 2>/dev/null
    kill -CONT -1 2>/dev/null
    until_time=$(($(uptime) + $1))
    while [ -n "$(others)" ]; do
        if [ "$(uptime)" -ge "$until_time" ]; then kill -KILL -1 2>/dev/null; fi
        nap 0.1
    done
}

link_attempt() {
    own="{\"pid\":$$,\"start_time\":\"$(start_time $$)\"}"
    user=null
    [ -z "$process" ] || user="{\"pid\":$process,\"start_time\":\"$(start_time "$process")\"}"
    started=$(date +%s)
    printf '{"format":1,"epoch":%s,"token":"%s","host":"%s","boot_id":"%s","pid_namespace":"%s","supervisor":%s,"process":%s,"process_group":%s,"started":%s,"command":%s,"memory":null,"gpus":[]}' \
        "$epoch" "$(text "$token")" "$(cat /proc/sys/kernel/hostname)" "$(cat /proc/sys/kernel/random/boot_id)" \
        "$(readlink /proc/self/ns/pid)" "$own" "$user" "${process:-null}" "$started" "$command_json" >"$control/.attempt.$$"
    sync
    ln "$control/.attempt.$$" "$control/attempt.json" 2>/dev/null && ln "$control/attempt.json" "$attempt/started.json" 2>/dev/null
    linked=$?
    rm -f "$control/.attempt.$$"
    return $linked
}

conclude() {  # exit code, signal, reason, message, note
    wake f
    printf '{"format":1,"token":"%s","exit_code":%s,"signal":%s,"reason":"%s","message":"%s","note":"%s","started":%s,"ended":%s,"peak_memory":null,"cpu_time":null,"memory_limit":null,"leftovers":%s}' \
        "$(text "$token")" "$1" "$2" "$3" "$(text "$4")" "$(text "$5")" "${started:-null}" "$(date +%s)" "${left:-0}" >"$control/.result.$$"
    sync
    ln "$control/.result.$$" "$control/result.json" 2>/dev/null || say "a result was written by somebody else; it stands"
    rm -f "$control/.result.$$"
    wake w
    exit 0
}

refuse() {
    say "nothing was started: $2"
    link_attempt || exit 0
    conclude null null "$1" "$2" ""
}

pipe=
if [ -p "$control/wake" ]; then
    exec 9<>"$control/wake"
    pipe=yes
    wake h
fi
mkdir -p "$control/user_logs" "$control/events"
for known in "$control/attempt.json" "$attempt/started.json" "$control/result.json"; do [ -e "$known" ] && exit 0; done
standing=$(cat "$control/epoch" 2>/dev/null)
if [ "${standing:-0}" -gt "$epoch" ]; then
    say "nothing was started: a service of epoch $standing has been here"
    exit 1
fi
printf '%s\n' "$epoch" >"$control/epoch"
[ -e "$control/cancel.json" ] && refuse canceled "canceled before it was started"
command -v "$1" >/dev/null 2>&1 || refuse "start failed" "$1 does not exist in the image, which has no Python; use a shell script, a command, or another image"
printf '\n{"t":%s,"e":"property","k":"aml.in_run_client","v":"none: the image has no Python"}\n' "$(date +%s)" >"$control/events/supervisor.jsonl"

killed=$(oom)
gate="$control/.gate"
rm -f "$gate"
mkfifo "$gate" || exit 1
(
    read -r word <"$gate" || exit 127
    [ "$word" = go ] || exit 127
    cd "$cwd" || exit 127
    exec "$@" </dev/null >>"$control/user_logs/std_log.txt" 2>&1 9<&-
) &
process=$!
if ! link_attempt; then
    say "another supervisor has this attempt"
    kill -KILL "$process" 2>/dev/null
    exit 0
fi
asked=
trap 'asked=yes' TERM
printf 'go\n' >"$gate"
rm -f "$gate"
begun=$(uptime)
beat=0
tick=0.05
reason=
message=
while :; do
    case $(state "$process") in '' | Z | X) break ;; esac
    now=$(uptime)
    if [ -e "$control/cancel.json" ]; then
        reason=canceled
        asked_grace=$(sed -n 's/.*"grace_seconds": *\([0-9]*\).*/\1/p' "$control/cancel.json")
        message=$(sed -n 's/.*"reason": *"\([^"]*\)".*/\1/p' "$control/cancel.json")
        end_all "${asked_grace:-$grace}"
    elif [ -n "$max_seconds" ] && [ $((now - begun)) -ge "$max_seconds" ]; then
        reason=timeout
        message="it ran for $max_seconds s, which is its limit (max_run_duration_seconds)"
        end_all "$grace"
    elif [ -n "$asked" ]; then
        reason="supervisor lost"
        message="the supervisor was asked to end (SIGTERM), as when the machine is shut down"
        end_all "$grace"
    else
        if [ $((now - beat)) -ge 5 ]; then
            : >"$control/heartbeat"
            touch "$control/heartbeat" 2>/dev/null
            beat=$now
        fi
        nap $tick
        [ $tick = 0.5 ] || wake w
        tick=0.5
    fi
done
wait "$process"
code=$?
if [ -z "$reason" ] && [ -n "$(others)" ]; then
    nap 0.5
    set -- $(others)
    left=$#
    [ $# = 0 ] || end_all "$grace"
fi
signal=null
if [ "$code" -gt 128 ]; then
    signal=$((code - 128))
    [ -n "$reason" ] || [ "$signal" -le 31 ] || signal=null
fi
starved=
[ "$(oom)" = "$killed" ] || starved=yes
told="its container may have $memory of memory, and went over it"
[ -n "$memory" ] || told="the machine had no memory left"
if [ -n "$reason" ]; then
    [ $signal = null ] || code=null
    conclude "$code" "$signal" "$reason" "$message" ""
elif [ $signal = 9 ] && [ -n "$starved" ]; then
    conclude null 9 "out of memory" "$told" ""
elif [ $signal != null ]; then
    conclude null $signal signal "the process was ended by signal $signal" ""
elif [ "$code" != 0 ] && [ -n "$starved" ]; then
    conclude "$code" null exit "" "the kernel ended a process of the run for lack of memory: $told"
else
    conclude "$code" null exit "" ""
fi
