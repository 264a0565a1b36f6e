#include <array>
#include <optional>
#include <span>

#include "runtime/cpython.hpp"

/// Where frames of the language lie: since 3.11 each thread has them in chunks of memory of its own, outermost first
/// (Include/internal/pycore_frame.h, struct _PyStackChunk).
namespace timesink::runtime {

namespace {

constexpr std::uint32_t kFramesInChunks = 11;

/// PyThreadState: .datastack_chunk, .datastack_top, .datastack_limit, in this order, behind .context in 3.11 to 3.14.
constexpr std::size_t kWordsLooked = 64;
using StateWords = std::array<std::uint64_t, kWordsLooked>;

/// struct _PyStackChunk; .data follows.
struct ChunkHead {
    std::uint64_t previous;
    std::uint64_t size;  ///< bytes, this head included
    std::uint64_t top;
};

template <typename Object>
std::optional<Object> read_object(const Memory& memory, std::uint64_t address) {
    Object object{};
    if (address == 0 || !memory.read(address, std::as_writable_bytes(std::span(&object, 1)))) {
        return std::nullopt;
    }
    return object;
}

/// These three words say the same of a chunk as the chunk itself.
bool is_data_stack(const Memory& memory, std::uint64_t chunk, std::uint64_t top, std::uint64_t limit) {
    constexpr std::uint64_t kPage = 4096;
    constexpr std::uint64_t kLargest = std::uint64_t{1} << 32U;
    if (chunk == 0 || chunk % sizeof(std::uint64_t) != 0 || top <= chunk || top > limit || limit - chunk > kLargest) {
        return false;
    }
    const auto head = read_object<ChunkHead>(memory, chunk);
    return head && head->size == limit - chunk && head->size % kPage == 0 && head->previous % sizeof(std::uint64_t) == 0;
}

/// In words; empty: this state has none.
std::optional<std::size_t> data_stack_in(const Memory& memory, const StateWords& state, std::size_t from) {
    for (std::size_t at = from; at + 2 < state.size(); at++) {
        if (is_data_stack(memory, state[at], state[at + 1], state[at + 2])) {
            return at;
        }
    }
    return std::nullopt;
}

}  // namespace

std::uint32_t find_data_stack(const CPython& python, const Memory& memory) {
    if (python.minor < kFramesInChunks) {
        return 0;
    }
    constexpr int kThreadsLooked = 64;
    const std::size_t from = python.layout.context / sizeof(std::uint64_t) + 1;
    std::optional<std::size_t> found;
    auto state = read_object<std::uint64_t>(memory, python.interpreter + python.layout.threads_head);
    for (int i = 0; i < kThreadsLooked && state && *state != 0; i++) {
        if (const auto words = read_object<StateWords>(memory, *state)) {
            const auto here = data_stack_in(memory, *words, from);
            if (found && here && *found != *here) {
                return 0;
            }
            found = found ? found : here;
        }
        state = read_object<std::uint64_t>(memory, *state + python.layout.next);
    }
    return found ? static_cast<std::uint32_t>(*found * sizeof(std::uint64_t)) : 0;
}

}  // namespace timesink::runtime
