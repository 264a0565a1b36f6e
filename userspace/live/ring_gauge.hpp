#pragma once

#include <cstddef>
#include <optional>

namespace timesink::live {

/// How full a BPF ring buffer is, from its two counters, mapped read-only (kernel/bpf/ringbuf.c: the first page holds the
/// consumer's position, the second the producer's). May be read from any thread.
class RingGauge {
public:
    /// `map`: the ring's descriptor, needed only during the call. `bytes`: its size. Empty: it cannot be mapped.
    static std::optional<RingGauge> open(int map, std::size_t bytes);
    RingGauge(RingGauge&& other) noexcept;
    RingGauge& operator=(RingGauge&&) = delete;
    RingGauge(const RingGauge&) = delete;
    ~RingGauge();

    /// Share of the ring that waits to be read, 0 … 1.
    [[nodiscard]] double fill() const;

private:
    RingGauge(const std::byte* pages, std::size_t page, std::size_t bytes) : pages_(pages), page_(page), bytes_(bytes) {}
    const std::byte* pages_;
    std::size_t page_;
    std::size_t bytes_;
};

}  // namespace timesink::live
