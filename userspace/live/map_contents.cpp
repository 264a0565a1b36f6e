#include "live/map_contents.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <cstddef>
#include <vector>

namespace timesink::live {
namespace {

int clear_array(const bpf_map* map, std::uint32_t cpus) {
    const bool per_cpu = bpf_map__type(map) == BPF_MAP_TYPE_PERCPU_ARRAY;
    const std::size_t size = per_cpu ? (bpf_map__value_size(map) + std::size_t{7}) / 8 * 8 * cpus : bpf_map__value_size(map);
    const std::vector<std::byte> zeros(size);
    int status = 0;
    for (std::uint32_t at = 0; at < bpf_map__max_entries(map) && status == 0; at++) {
        status = bpf_map__update_elem(map, &at, sizeof(at), zeros.data(), zeros.size(), BPF_EXIST);
    }
    return -status;
}

int clear_hash(const bpf_map* map) {
    std::vector<std::byte> key(bpf_map__key_size(map));
    while (bpf_map__get_next_key(map, nullptr, key.data(), key.size()) == 0) {
        // What an LRU map has thrown out meanwhile is gone as well.
        if (const int status = bpf_map__delete_elem(map, key.data(), key.size(), 0); status != 0 && status != -ENOENT) {
            return -status;
        }
    }
    return 0;
}

}  // namespace

int empty_map(const bpf_map* map, std::uint32_t cpus) {
    if (bpf_map__is_internal(map) || bpf_map__fd(map) < 0) {
        return 0;
    }
    switch (bpf_map__type(map)) {
        case BPF_MAP_TYPE_ARRAY:
        case BPF_MAP_TYPE_PERCPU_ARRAY:
            return clear_array(map, cpus);
        case BPF_MAP_TYPE_HASH:
        case BPF_MAP_TYPE_LRU_HASH:
            return clear_hash(map);
        case BPF_MAP_TYPE_ARRAY_OF_MAPS:
        case BPF_MAP_TYPE_TASK_STORAGE:
            return 0;
        default:
            return ENOTSUP;
    }
}

}  // namespace timesink::live
