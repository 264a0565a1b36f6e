#include "runtime/memory.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace timesink::runtime {

const PagedMemory::Page* PagedMemory::page(std::uint64_t number) const {
    if (const auto known = pages_.find(number); known != pages_.end()) {
        return known->second.get();
    }
    if (pages_.size() >= kPagesMost) {
        pages_.clear();
    }
    auto page = std::make_unique<Page>();
    if (!behind_.read(number * kPage, *page)) {
        page.reset();
    }
    return (pages_[number] = std::move(page)).get();
}

bool PagedMemory::read(std::uint64_t address, std::span<std::byte> to) const {
    if (to.size() > kPage) {
        return behind_.read(address, to);
    }
    while (!to.empty()) {
        const std::uint64_t within = address % kPage;
        const auto part = to.first(std::min<std::size_t>(to.size(), kPage - within));
        const Page* bytes = page(address / kPage);
        if (bytes == nullptr) {
            return false;
        }
        std::memcpy(part.data(), bytes->data() + within, part.size());
        address += part.size();
        to = to.subspan(part.size());
    }
    return true;
}

}  // namespace timesink::runtime
