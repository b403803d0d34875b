#!/bin/sh
# A user agent server under SIPp's built-in scenario `uac`: processor time for each call from the operating system's
# accounting, and resident memory, beside other stacks. Linux; needs sipp (Debian: sip-tester).
#
#   benches/uas.sh [RATE] [CALLS] [ROUNDS]           default 2500 calls/s, 20000 calls, 3 rounds, interleaved
#
# Peers are measured when their program is named, others are left out:
#   RSIPSTACK=.../bench_ua    rsipstack: cargo build --release --bin bench_ua
#   PJSIP_PERF=.../pjsip-perf pjproject: ./configure --disable-video --disable-sound && make dep && make
#   UAS_BENCH=.../uas_bench   ours; without it, it is built
#   TRANSPORT=tcp             udp without it; ours only
#
# A line for each run: calls that succeeded and failed, calls/s, user and system time in microseconds for each call,
# resident KiB at the start, after the last call, and 40 s later, when every transaction has ended (only with SETTLE=1).
set -eu
rate=${1:-2500} calls=${2:-20000} rounds=${3:-3}
transport=${TRANSPORT:-udp}
here=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
work=$(mktemp -d)
server=
# pjsip-perf ends with its standard input, so there is one that does not end.
mkfifo "$work/input"
exec 3<>"$work/input"
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT

if [ -z "${UAS_BENCH:-}" ]; then
    (cd "$here" && cargo build --release -q -p sidetone-sip-core --example uas_bench)
    UAS_BENCH=${CARGO_TARGET_DIR:-$here/target}/release/examples/uas_bench
fi

# User and system time in clock ticks, then resident KiB.
usage() {
    # After the name in parentheses, which may have spaces: field 3 comes first.
    set -- "$1" $(sed 's/.*) //' "/proc/$1/stat")
    echo "${13} ${14} $(awk '/^VmRSS:/ { print $2 }' "/proc/$1/status")"
}

# measure NAME PORT COMMAND...
measure() {
    name=$1 port=$2
    shift 2
    "$@" <&3 >"$work/$name.log" 2>&1 &
    server=$!
    # Until it is bound: one OPTIONS or INVITE would count, so the kernel's table is looked at.
    hex=$(printf ':%04X' "$port") tries=0
    until grep -q "$hex " /proc/net/udp /proc/net/tcp /proc/net/udp6 /proc/net/tcp6 2>/dev/null; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || { echo "$name did not start" >&2; cat "$work/$name.log" >&2; exit 1; }
        sleep 0.1
    done
    sleep 0.3
    before=$(usage "$server")
    mode=u1
    [ "$transport" = udp ] || mode=t1
    # A failed call makes sipp end with 1: it is counted, not fatal.
    (cd "$work" && sipp -sn uac -t "$mode" -r "$rate" -m "$calls" -l 100000 -d 0 -nostdin -timeout 120 \
        -s "${USER_PART:-bench}" -trace_stat -stf "$name.csv" -fd 60 "127.0.0.1:$port" >/dev/null 2>&1) || true
    after=$(usage "$server")
    settled=-
    if [ "${SETTLE:-0}" = 1 ]; then
        sleep 40
        settled=$(usage "$server" | cut -d' ' -f3)
    fi
    kill "$server"
    wait "$server" 2>/dev/null || true
    server=
    awk -F';' -v name="$name" -v before="$before" -v after="$after" -v settled="$settled" '
        NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i }
        { done = $column["SuccessfulCall(C)"]; failed = $column["FailedCall(C)"]; took = $column["ElapsedTime(C)"] }
        END {
            split(before, b, " "); split(after, a, " "); split(took, t, ":")
            seconds = t[1] * 3600 + t[2] * 60 + t[3] + t[4] / 1000000
            calls = (done + failed > 0) ? done + failed : 1
            printf "%-10s ok %d failed %d  %.0f calls/s  user %.1f  system %.1f us/call  resident %d -> %d -> %s KiB\n",
                name, done, failed, (seconds > 0 ? done / seconds : 0),
                (a[1] - b[1]) * 10000 / calls, (a[2] - b[2]) * 10000 / calls, b[3], a[3], settled
        }' "$work/$name.csv"
}

round=1
while [ "$round" -le "$rounds" ]; do
    measure sidetone 16060 "$UAS_BENCH" --transport "$transport" --listen 127.0.0.1:16060
    if [ "$transport" = udp ]; then
        [ -z "${RSIPSTACK:-}" ] || measure rsipstack 16061 "$RSIPSTACK" --mode server --port 16061
        # A Request-URI with user 2 is answered by its whole call (INVITE, dialog); 0 and 1 are without.
        [ -z "${PJSIP_PERF:-}" ] || USER_PART=2 measure pjsip-perf 16062 "$PJSIP_PERF" -p 16062 --ringing
    fi
    round=$((round + 1))
done
