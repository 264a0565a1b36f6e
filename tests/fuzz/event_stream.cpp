#include "proto/event_stream.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using timesink::proto::EventStream;

struct Log final : EventStream::Listener {
    void event(const EventStream::Event& event) override {
        if (event.data.head().size() > EventStream::kKeptHead || event.data.tail().size() > 2 * EventStream::kKeptTail) {
            std::abort();
        }
        events.emplace_back(event.last, std::string(event.data.head()));
    }
    std::vector<std::pair<std::uint64_t, std::string>> events;
};

}  // namespace

/// Bytes of a stream; 0xfd is a gap. Where there is none, how the stream is cut into pieces changes nothing.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) {
        return 0;
    }
    const auto kind = (data[0] & 1) != 0 ? EventStream::Kind::lines : EventStream::Kind::server_sent;
    const std::size_t piece = 1 + data[1] % 31;
    const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
    Log whole;
    EventStream once(kind);
    once.take(text, 0, whole);
    once.finish(text.size(), whole);
    Log parts;
    EventStream stream(kind);
    for (std::size_t at = 0; at < text.size(); at += piece) {
        stream.take(text.substr(at, piece), at, parts);
    }
    stream.finish(text.size(), parts);
    if (whole.events != parts.events) {
        std::abort();
    }
    Log torn;
    EventStream gaps(kind);
    std::string_view rest = text;
    while (!rest.empty()) {
        const std::size_t gap = std::min(rest.find('\xfd'), rest.size());
        gaps.take(rest.substr(0, gap), 0, torn);
        gaps.gap();
        rest.remove_prefix(std::min(gap + 1, rest.size()));
    }
    gaps.finish(text.size(), torn);
    return 0;
}
