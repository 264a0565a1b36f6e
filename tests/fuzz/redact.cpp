#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "event/record.hpp"
#include "redact/masks.hpp"
#include "redact/redactor.hpp"

/// The stage that masks on any bytes: as many bytes come out, in records of the same heads, whatever the batches; and the masks
/// of texts keep their length.
namespace {

using namespace timesink;

constexpr redact::Secret kSecret = {1, 2};

std::vector<std::byte> redacted(std::span<const std::byte> records, std::size_t cut) {
    std::vector<std::byte> out;
    redact::Redactor redactor([&out](auto piece) { out.insert(out.end(), piece.begin(), piece.end()); }, kSecret);
    if (redactor.push(records.first(cut))) {
        (void)redactor.push(records.subspan(cut)).ok();
    }
    redactor.finish();
    return out;
}

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto* begin = reinterpret_cast<const std::byte*>(data);
    const std::string_view text{reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 2048)};
    for (const auto kind :
         {proto::Kept::statement, proto::Kept::mysql, proto::Kept::target, proto::Kept::field, proto::Kept::key}) {
        require(redact::masked(text, kind, kSecret).size() == text.size());
    }
    std::vector<std::byte> bytes(begin, begin + size / 8 * 8);
    // Sizes and kinds that fit, so that more than the first record is looked at.
    std::size_t middle = 0;
    for (std::size_t at = 0; bytes.size() - at >= sizeof(ts_event_head);) {
        ts_event_head head;
        std::memcpy(&head, bytes.data() + at, sizeof(head));
        const std::size_t room = bytes.size() - at;
        head.size = static_cast<__u16>(std::min<std::size_t>(std::max<std::size_t>(head.size % 512 / 8 * 8, sizeof(head)), room));
        head.kind = static_cast<__u16>(head.kind % 16);
        head.time %= 1'000'000;
        std::memcpy(bytes.data() + at, &head, sizeof(head));
        middle = at <= bytes.size() / 2 ? at : middle;
        at += head.size;
    }
    const auto out = redacted(bytes, 0);
    require(out.size() <= bytes.size() && out.size() + sizeof(ts_event_head) > bytes.size() && out == redacted(bytes, middle));
    return 0;
}
