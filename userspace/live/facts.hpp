#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

/// The bodies of the facts of docs/event-abi.md, read from /proc and the system.
namespace timesink::live {

using Json = nlohmann::json;

/// CLOCK_MONOTONIC, ns.
std::uint64_t monotonic_now();

Json host_fact();
/// Ids of the initial pid namespace; `local_pid` is the process where timesink runs. Empty when the process is gone.
std::optional<Json> process_fact(std::uint32_t pid, std::uint32_t local_pid, std::uint32_t parent,
                                 const std::vector<std::uint32_t>& threads);
/// Empty when the process is gone or a zombie.
std::optional<Json> sample_fact(std::uint32_t pid, std::uint32_t local_pid);
Json host_sample_fact();

/// What this process has used itself, so far.
struct OwnUse {
    std::uint64_t cpu_ns = 0;
    std::uint64_t rss_bytes = 0;
};
OwnUse own_use();

/// A whole TS_EVENT_FACT record. A body that does not fit into a record (64 KiB) loses its longest texts and lists first, by
/// halves.
std::vector<std::byte> fact_record(Json body, std::uint64_t time, std::uint32_t sequence);

}  // namespace timesink::live
