#include "live/ring_gauge.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <utility>

namespace timesink::live {

namespace {

unsigned long position(const std::byte* at) {
    // The kernel writes it; atomic_ref of a const type is C++26.
    const auto* counter = reinterpret_cast<const volatile unsigned long*>(at);
    const unsigned long value = *counter;
    std::atomic_thread_fence(std::memory_order_acquire);
    return value;
}

}  // namespace

std::optional<RingGauge> RingGauge::open(int map, std::size_t bytes) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    void* pages = mmap(nullptr, 2 * page, PROT_READ, MAP_SHARED, map, 0);
    if (pages == MAP_FAILED) {
        return std::nullopt;
    }
    return RingGauge(static_cast<const std::byte*>(pages), page, bytes);
}

RingGauge::RingGauge(RingGauge&& other) noexcept
    : pages_(std::exchange(other.pages_, nullptr)), page_(other.page_), bytes_(other.bytes_) {}

RingGauge::~RingGauge() {
    if (pages_ != nullptr) {
        munmap(const_cast<std::byte*>(pages_), 2 * page_);
    }
}

double RingGauge::fill() const {
    const unsigned long consumed = position(pages_);  // first: it never passes the producer's
    const unsigned long produced = position(pages_ + page_);
    return static_cast<double>(produced - consumed) / static_cast<double>(bytes_);
}

}  // namespace timesink::live
