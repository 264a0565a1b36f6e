#include "report/wording.hpp"

#include <array>

#include "report/numbers.hpp"
#include "report/safe_text.hpp"

namespace timesink::report {

using analyze::FindingKind;
using attribute::Cause;

std::string_view name(FindingKind kind) {
    constexpr std::array<std::string_view, 21> kNames = {
        "repeated_call",     "workers_saturated", "cpu_saturated", "host_steal",  "slow_call", "connection_per_call",
        "calls_in_sequence", "connection_queue",  "pool_wait",     "loop_busy",   "lock_wait", "disk_wait",
        "page_faults",       "large_result",      "slow_client",   "slow_upload", "errors",    "error_burst",
        "retransmits",       "rate_limited",      "job_queue"};
    static_assert(static_cast<std::size_t>(FindingKind::job_queue) + 1 == kNames.size());
    return kNames[static_cast<std::size_t>(kind)];
}

std::string_view name(analyze::Sureness sureness) {
    constexpr std::array<std::string_view, 3> kNames = {"sure", "likely", "unsure"};
    return kNames[static_cast<std::size_t>(sureness)];
}

std::string_view name(request::UnitKind kind) {
    constexpr std::array<std::string_view, 3> kNames = {"request", "job", "background"};
    return kNames[static_cast<std::size_t>(kind)];
}

std::string_view name(request::Exclusion exclusion) {
    constexpr std::array<std::string_view, 5> kNames = {"none", "older_than_attach", "loss", "unfinished", "not_decoded"};
    return kNames[static_cast<std::size_t>(exclusion)];
}

std::string_view name_of_call_class(std::size_t index) {
    constexpr std::array<std::string_view, TS_CLASS_COUNT> kNames = {
        "socket_read", "socket_write", "socket_setup", "file_read",    "file_write", "file_sync", "file_open", "poll",
        "futex",       "sleep",        "memory_map",   "memory_unmap", "task",       "io_uring",  "other"};
    return kNames[index];
}

std::string_view title(attribute::Bucket bucket) {
    constexpr std::array<std::string_view, attribute::kBucketCount> kTitles = {"database", "provider", "transfer", "overhead"};
    return kTitles[static_cast<std::size_t>(bucket)];
}

std::string_view title(Cause cause) {
    constexpr std::array<std::string_view, attribute::kCauseCount> kTitles = {
        "connect",   "queue",    "server wait", "result",      "embedded",       "connect", "queue",       "first byte",
        "body",      "internal", "request",     "response",    "storage",        "cpu",     "run queue",   "event loop",
        "pool wait", "lock",     "disk",        "page faults", "socket backlog", "sleep",   "unattributed"};
    return kTitles[static_cast<std::size_t>(cause)];
}

std::string noun(std::uint64_t count, std::string_view singular) {
    return grouped(count) + " " + std::string(singular) + (count == 1 ? "" : "s");
}

std::string unit_noun(std::optional<request::UnitKind> kind) {
    return !kind ? "unit" : *kind == request::UnitKind::job ? "job" : "request";
}

std::string unit_noun(const analyze::Model& model) {
    return unit_noun(model.unit_kind());
}

std::string route_title(const analyze::RouteLine& line, std::uint64_t folded, const Safe& safe) {
    if (line.other) {
        return "other (" + noun(folded, "route") + ")";
    }
    if (line.method.empty()) {
        return safe(line.route);
    }
    return safe(line.method) + " " + safe(line.route);
}

namespace {

std::string route_of(const analyze::Finding& finding, const Safe& safe, std::size_t most) {
    return cut(finding.method.empty() ? safe(finding.route) : safe(finding.method) + " " + safe(finding.route), most);
}

std::string times(double value) {
    return three_digits(value, value >= 9.95 ? 0 : 1) + " ×";
}

/// Of a language model whose answer is streamed: how much of its time it takes to speak.
std::string generation(const analyze::Finding& finding) {
    if (finding.level <= 0) {
        return {};
    }
    const std::string rate = finding.capacity > 0 ? ", " + three_digits(finding.capacity) + " tokens/s" : std::string();
    return "; " + percent_short(finding.level) + " of it comes after the first token" + rate;
}

/// What saturates the machine, for the findings that are about the run as a whole.
std::string sentence_of_run(const analyze::Finding& finding) {
    const std::string units = unit_noun(finding.unit) + "s";
    switch (finding.kind) {
        case FindingKind::workers_saturated:
            return fixed(finding.capacity, 0) + " workers, " + three_digits(finding.level, 1) + " " + units +
                   " in flight: " + units + " wait for a worker";
        case FindingKind::cpu_saturated: {
            std::string text = finding.capacity > 0 ? fixed(finding.capacity, 0) + " CPUs" : std::string();
            if (finding.level > 0) {
                text += (text.empty() ? "" : ", ") + three_digits(finding.level, 1) + " runnable threads";
            }
            return text + (text.empty() ? "" : ": ") + "threads wait for a CPU";
        }
        case FindingKind::host_steal:
            return "the hypervisor takes " + percent_short(finding.level) + " of this machine's CPU time away";
        case FindingKind::error_burst:
            return grouped(finding.count) + " of " + grouped(finding.of) + " failures fell within " + run_length(finding.length) +
                   ", " + run_length(finding.at) + " after the attach";
        default:
            return grouped(finding.count) + " TCP retransmits for " + grouped(finding.of) +
                   " messages: the network loses packets";
    }
}

std::string sentence_of_wait(const analyze::Finding& finding, const std::string& route) {
    const std::string where = route.empty() ? std::string() : ", most in " + route;
    const std::string unit = unit_noun(finding.unit);
    switch (finding.kind) {
        case FindingKind::connection_queue:
            return "statements wait behind others on their connection" + where;
        case FindingKind::pool_wait:
            return unit + "s wait for a connection of the pool" + where;
        case FindingKind::loop_busy:
            return "the event loop is busy with other " + unit + "s" + where;
        case FindingKind::lock_wait:
            return "threads wait for locks (or the GIL)" + where;
        case FindingKind::disk_wait:
            return (finding.per_unit >= 0.1 ? "waits for the disk, " + times(finding.per_unit) + " fsync a " + unit
                                            : "waits for the disk") +
                   where;
        default:
            return "page faults" + (finding.count > 0 ? " (" + grouped(finding.count) + " from disk)" : std::string()) + where;
    }
}

}  // namespace

std::string sentence(const analyze::Finding& finding, const Safe& safe, std::size_t most) {
    const std::string route = route_of(finding, safe, most);
    const std::string call = cut(safe(finding.subject), most);
    const std::string a_unit = " a " + unit_noun(finding.unit);
    switch (finding.kind) {
        case FindingKind::repeated_call:
            return route + " sends the same call " + times(finding.per_unit) + a_unit + ", one after the other: " + call;
        case FindingKind::slow_call:
            return call + " takes " + duration(finding.each) + ", " + times(finding.per_unit) + a_unit +
                   (route.empty() ? "" : ", most in " + route) + generation(finding);
        case FindingKind::rate_limited:
            return route + ": " + grouped(finding.count) + " of " + grouped(finding.of) +
                   " answered 429 (rate limited), retried after " + duration(finding.each) + ": " + call;
        case FindingKind::job_queue:
            return route + ": jobs wait " + duration(finding.each) + " for a worker, " + times(finding.level) +
                   " what they take, with " + three_digits(finding.capacity, 1) +
                   " in hand at a time: a higher concurrency or more workers";
        case FindingKind::connection_per_call:
            return route + " opens " + times(finding.per_unit) + a_unit + " a new connection to " + call;
        case FindingKind::calls_in_sequence:
            return route + " makes " + three_digits(finding.per_unit, 1) +
                   " provider calls one after the other: could they overlap?";
        case FindingKind::large_result:
            return route + " fetches " + bytes(static_cast<double>(finding.bytes_each)) + " a call: " + call;
        case FindingKind::slow_client:
            return route + " waits for clients to take " + bytes(static_cast<double>(finding.bytes_each)) + " a response";
        case FindingKind::slow_upload:
            return route + " waits for clients to send " + bytes(static_cast<double>(finding.bytes_each)) + " a request";
        case FindingKind::errors:
            return route + " fails: " + grouped(finding.count) + " of " + grouped(finding.of) + " (" +
                   percent_short(finding.level) + ")";
        case FindingKind::connection_queue:
        case FindingKind::pool_wait:
        case FindingKind::loop_busy:
        case FindingKind::lock_wait:
        case FindingKind::disk_wait:
        case FindingKind::page_faults:
            return sentence_of_wait(finding, route);
        default:
            return sentence_of_run(finding);
    }
}

std::string gain_text(const analyze::Finding& finding, const analyze::Ledger& of) {
    if (!finding.gain || of.units == 0) {
        return {};
    }
    return "up to " + duration(*finding.gain / static_cast<Duration::rep>(of.units)) + " (" +
           percent_short(share_of(*finding.gain, of.wall)) + ")";
}

}  // namespace timesink::report
