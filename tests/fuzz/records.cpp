#include <cstdlib>
#include <cstring>
#include <vector>

#include "event/merge.hpp"
#include "records/dump.hpp"

/// The decoder and the merge on any bytes, at once and cut in two between records: the same must come out.
namespace {

using namespace timesink;

std::vector<std::string> merged(std::span<const std::byte> records, std::size_t cut) {
    records::Dump dump;
    event::Merge merge(dump);
    if (merge.push(records.first(cut))) {
        (void)merge.push(records.subspan(cut)).ok();
    }
    merge.finish();
    return std::move(dump.lines);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto* begin = reinterpret_cast<const std::byte*>(data);
    std::vector<std::byte> bytes(begin, begin + size);
    // Sizes that fit, so that more than the first record is looked at.
    std::size_t middle = 0;
    for (std::size_t at = 0; size - at >= sizeof(ts_event_head);) {
        ts_event_head head;
        std::memcpy(&head, bytes.data() + at, sizeof(head));
        const std::size_t room = (size - at) / 8 * 8;
        head.size = static_cast<__u16>(std::min<std::size_t>(std::max<std::size_t>(head.size % 512 / 8 * 8, sizeof(head)), room));
        std::memcpy(bytes.data() + at, &head, sizeof(head));
        if (at <= size / 2) {
            middle = at;
        }
        at += head.size;
    }
    if (merged(bytes, 0) != merged(bytes, middle)) {
        std::abort();
    }
    return 0;
}
