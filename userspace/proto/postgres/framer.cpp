#include "proto/postgres/framer.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "proto/lines.hpp"

namespace timesink::proto::postgres {
namespace {

constexpr std::uint32_t kLargeLimit = 0x3fff'ffff;  // MaxAllocSize: the server neither sends nor takes longer messages
constexpr std::uint32_t kSmallLimit = 10'000;       // PQ_SMALL_MESSAGE_LIMIT (libpq-be): what a server takes of the short kinds
constexpr std::uint32_t kOpeningLimit = 10'000;     // MAX_STARTUP_PACKET_LENGTH

constexpr std::size_t kHeader = 5;  // type and length; of all messages but those that open a connection

// Written as protocol tables are read, type first; the padding of 40 rows is not worth another order.
struct Kind {  // NOLINT(clang-analyzer-optin.performance.Padding)
    char type;
    std::uint32_t shortest;  // of the length field
    std::uint32_t longest;
    std::uint16_t kept;  // bytes of the payload that the parser reads
};

constexpr std::uint16_t kText = 8192;
constexpr std::uint16_t kName = 256;

constexpr Kind kFrontend[] = {
    {'Q', 5, kLargeLimit, kText},
    {'P', 8, kLargeLimit, kText},
    {'B', 12, kLargeLimit, kName},
    {'E', 9, kSmallLimit, kName},
    {'D', 6, kSmallLimit, kName},
    {'C', 6, kSmallLimit, kName},
    {'H', 4, 4, 0},
    {'S', 4, 4, 0},
    {'X', 4, 4, 0},
    {'F', 14, kLargeLimit, 4},
    {'d', 4, kLargeLimit, 0},
    {'c', 4, 4, 0},
    {'f', 5, kSmallLimit, 0},
    {'p', 4, 65535, 0},
};
constexpr Kind kBackend[] = {
    {'R', 8, 65535, 4},
    {'K', 12, 264, 0},
    {'S', 6, kSmallLimit * 10, 0},
    {'Z', 5, 5, 1},
    {'T', 6, kLargeLimit, 0},
    {'D', 6, kLargeLimit, 2},
    {'C', 5, 128, 128},
    {'E', 5, kLargeLimit, 512},
    {'N', 5, kLargeLimit, 0},
    {'I', 4, 4, 0},
    {'1', 4, 4, 0},
    {'2', 4, 4, 0},
    {'3', 4, 4, 0},
    {'n', 4, 4, 0},
    {'s', 4, 4, 0},
    {'t', 6, 262'150, 0},
    {'A', 10, kLargeLimit, 0},
    {'G', 7, kSmallLimit, 0},
    {'H', 7, kSmallLimit, 0},
    {'W', 7, kSmallLimit, 0},
    {'d', 4, kLargeLimit, 0},
    {'c', 4, 4, 0},
    {'V', 8, kLargeLimit, 0},
    {'v', 12, kSmallLimit, 0},
};

/// By type: the place in the table, counted from 1; 0: none has it.
constexpr std::array<std::uint8_t, 256> places_of(std::span<const Kind> kinds) {
    std::array<std::uint8_t, 256> places{};
    for (std::size_t i = 0; i < kinds.size(); ++i) {
        places[static_cast<unsigned char>(kinds[i].type)] = static_cast<std::uint8_t>(i + 1);
    }
    return places;
}
constexpr std::array<std::uint8_t, 256> kFrontendPlaces = places_of(kFrontend);
constexpr std::array<std::uint8_t, 256> kBackendPlaces = places_of(kBackend);

bool plausible(const Kind* kind, std::uint32_t length) {
    return kind != nullptr && length >= kind->shortest && length <= kind->longest;
}

const Kind* find(Direction direction, char type) {
    const bool request = direction == Direction::request;
    const std::size_t place = (request ? kFrontendPlaces : kBackendPlaces)[static_cast<unsigned char>(type)];
    return place == 0 ? nullptr : (request ? kFrontend : kBackend) + place - 1;
}

}  // namespace

std::uint32_t big_endian_32(std::string_view four_bytes) {
    std::uint32_t value = 0;
    if (four_bytes.size() >= sizeof(value)) {
        const auto* bytes = reinterpret_cast<const unsigned char*>(four_bytes.data());
        return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
    }
    for (const char byte : four_bytes.substr(0, 4)) {
        value = value << 8 | static_cast<unsigned char>(byte);
    }
    return value;
}

bool is_type(Direction direction, char type) {
    return find(direction, type) != nullptr;
}

bool plausible(Direction direction, char type, std::uint32_t length) {
    return plausible(find(direction, type), length);
}

std::optional<Message> Framer::whole(std::span<const std::byte> bytes, std::uint64_t position) const {
    const std::string_view text = as_text(bytes);
    if (text.size() < kHeader) {
        return std::nullopt;
    }
    const Kind* kind = find(direction_, text.front());
    const std::uint32_t length = big_endian_32(text.substr(1));
    if (!plausible(kind, length) || length >= text.size()) {
        return std::nullopt;
    }
    const std::size_t payload = length - (kHeader - 1);
    const std::size_t kept = std::min<std::size_t>(payload, kind->kept);
    return Message{.type = text.front(),
                   .begin = position,
                   .end = position + 1 + length,
                   .payload = text.substr(kHeader, kept),
                   .cut = kept < payload};
}

Framer::Run Framer::run_of(char type, std::span<const std::byte> bytes) const {
    const std::string_view text = as_text(bytes);
    const Kind* kind = find(direction_, type);
    Run run;
    while (text.size() - run.bytes >= kHeader && text[run.bytes] == type) {
        const std::uint32_t length = big_endian_32(text.substr(run.bytes + 1));
        if (!plausible(kind, length) || length >= text.size() - run.bytes) {
            break;
        }
        run.last = run.bytes;
        run.bytes += 1 + std::size_t{length};
    }
    return run;
}

std::size_t Framer::take(std::span<const std::byte> bytes, std::uint64_t position) {
    const std::string_view text = as_text(bytes);
    std::size_t taken = 0;
    if (header_bytes_ == 0) {
        begin_ = position;
        header_size_ = text.front() == kOpening && direction_ == Direction::request ? 8 : 5;
    }
    if (header_bytes_ == 0 && text.size() >= header_size_ && (header_size_ == 8 || find(direction_, text.front()) != nullptr)) {
        std::memcpy(header_, text.data(), header_size_);
        header_bytes_ = taken = header_size_;
        header_done();
    }
    while (header_bytes_ < header_size_ && taken < text.size()) {
        header_[header_bytes_++] = text[taken++];
        if (header_bytes_ == 1 && header_size_ == 5 && find(direction_, header_[0]) == nullptr) {
            invalid_ = true;
            return taken;
        }
        if (header_bytes_ == header_size_) {
            header_done();
        }
    }
    if (header_bytes_ < header_size_ || invalid_) {
        return taken;
    }
    const std::size_t payload = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, text.size() - taken));
    const std::size_t kept = std::min(wanted_, payload);
    payload_.append(text.substr(taken, kept));
    wanted_ -= kept;
    remaining_ -= payload;
    return taken + payload;
}

void Framer::header_done() {
    const std::string_view header(header_, header_size_);
    payload_.clear();
    std::uint32_t length = 0;
    if (header_size_ == 8) {
        length = big_endian_32(header);
        const std::uint32_t code = big_endian_32(header.substr(4));
        const bool request = code >= kCancelRequest && code <= kGssEncryptionRequest;
        invalid_ = length < 8 || length > kOpeningLimit || (!request && code >> 16 != 3);
        type_ = kOpening;
        payload_ = header.substr(4);
        remaining_ = invalid_ ? 0 : length - 8;
        end_ = begin_ + length;
        wanted_ = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, 1024));
    } else {
        length = big_endian_32(header.substr(1));
        type_ = header[0];
        const Kind* kind = find(direction_, type_);
        invalid_ = !plausible(kind, length);
        remaining_ = invalid_ ? 0 : length - 4;
        end_ = begin_ + 1 + length;
        wanted_ = invalid_ ? 0 : static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, kind->kept));
    }
    cut_ = wanted_ < remaining_;
}

std::uint64_t Framer::skip(std::uint64_t bytes) {
    if (header_bytes_ < header_size_ || complete()) {
        return 0;
    }
    const std::uint64_t skipped = std::min(bytes, remaining_);
    remaining_ -= skipped;
    if (wanted_ > 0 && skipped > 0) {
        cut_ = true;
        wanted_ = 0;  // what follows the hole must not be taken for its continuation
    }
    return skipped;
}

void Framer::next() {
    header_bytes_ = 0;
    header_size_ = 5;
    remaining_ = 0;
    wanted_ = 0;
    invalid_ = false;
    cut_ = false;
    opened_ = false;
    payload_.clear();
}

}  // namespace timesink::proto::postgres
