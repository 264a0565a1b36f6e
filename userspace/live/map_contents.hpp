#pragma once

#include <cstdint>

struct bpf_map;

namespace timesink::live {

/// A map as it was when it was made: hashes empty, arrays zero. Constants, variables and rings stay as they are, and so does the
/// storage of tasks, which only an iterator reaches. `cpus`: possible CPUs. Returns 0 or an errno; ENOTSUP: of a kind that this
/// does not know. Precondition: no program that uses the map is attached.
int empty_map(const bpf_map* map, std::uint32_t cpus);

}  // namespace timesink::live
