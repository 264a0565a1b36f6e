#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "proto/dns/dns.hpp"
#include "proto/dns/message.hpp"
#include "proto/lines.hpp"

namespace timesink::proto::dns {
namespace {

constexpr std::size_t kPrefix = 2;  // the message's length, the higher byte first

std::size_t length_at(std::string_view text) {
    return std::size_t{static_cast<unsigned char>(text[0])} << 8U | static_cast<unsigned char>(text[1]);
}

/// Takes messages out of their frames and gives each, whole, to the parser of datagrams. Behind a gap it goes on where the frame
/// in progress ends; where that is not known, with the next piece that begins with a frame.
class Stream final : public Parser {
public:
    Parsed parse(const Chunk& chunk, Sink& sink) override;
    void gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) override;
    void finish(Direction direction, std::uint64_t position, Sink& sink) override;

private:
    /// Of one direction. At most a frame is held.
    struct Way {
        std::string held;          // from the begin of a frame on
        std::uint64_t begin = 0;   // position of held[0]
        std::uint64_t passed = 0;  // bytes of a frame that is cut, still to come
        bool lost = false;         // where frames begin is not known
    };
    void take(Way& way, Direction direction, Sink& sink);
    void give(const Way& way, std::size_t bytes, Direction direction, Sink& sink);
    void lose(Way& way, Direction direction, std::uint64_t position, Sink& sink);

    std::array<Way, 2> ways_;
    std::unique_ptr<Parser> messages_ = make(kPrefix);
    bool understood_ = false;
    bool not_mine_ = false;
};

Parsed Stream::parse(const Chunk& chunk, Sink& sink) {
    Way& way = ways_[static_cast<std::size_t>(chunk.direction)];
    const auto passed = static_cast<std::size_t>(std::min<std::uint64_t>(way.passed, chunk.bytes.size()));
    way.passed -= passed;
    const std::span<const std::byte> rest = chunk.bytes.subspan(passed);
    if (way.lost && detect_stream(chunk.direction, rest) == Match::yes) {
        way.lost = false;
    }
    if (!way.lost && !rest.empty()) {
        way.begin = way.held.empty() ? chunk.position + passed : way.begin;
        way.held += as_text(rest);
        take(way, chunk.direction, sink);
    }
    return not_mine_ ? Parsed{0, Verdict::not_mine} : Parsed{chunk.bytes.size(), Verdict::ok};
}

/// All frames that are whole.
void Stream::take(Way& way, Direction direction, Sink& sink) {
    while (way.held.size() >= kPrefix && !not_mine_) {
        const std::size_t length = length_at(way.held);
        if (length < kHeaderBytes) {
            not_mine_ = !understood_;
            lose(way, direction, way.begin, sink);
            return;
        }
        if (way.held.size() < kPrefix + length) {
            return;
        }
        give(way, length, direction, sink);
        way.held.erase(0, kPrefix + length);
        way.begin += kPrefix + length;
    }
}

/// The first bytes of the message in progress, of which no more are seen.
void Stream::give(const Way& way, std::size_t bytes, Direction direction, Sink& sink) {
    sink.keep(direction, way.begin, std::string_view(way.held).substr(0, kPrefix), Kept::structure);
    if (bytes == 0) {
        return;
    }
    const auto message = std::as_bytes(std::span(way.held)).subspan(kPrefix, bytes);
    const Parsed parsed = messages_->parse({direction, way.begin + kPrefix, message, true}, sink);
    not_mine_ = not_mine_ || parsed.verdict == Verdict::not_mine;
    understood_ = understood_ || !not_mine_;
}

void Stream::lose(Way& way, Direction direction, std::uint64_t position, Sink& sink) {
    way.held.clear();
    way.lost = true;
    sink.lost_sync(direction, position);
}

void Stream::gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) {
    Way& way = ways_[static_cast<std::size_t>(direction)];
    if (not_mine_ || way.lost || end <= begin) {
        return;
    }
    std::uint64_t missing = end - begin;
    const std::uint64_t passed = std::min(way.passed, missing);
    way.passed -= passed;
    missing -= passed;
    if (missing == 0) {
        return;
    }
    if (way.held.size() < kPrefix) {
        lose(way, direction, begin, sink);
        return;
    }
    const std::uint64_t to_come = kPrefix + length_at(way.held) - way.held.size();
    give(way, way.held.size() - kPrefix, direction, sink);
    if (missing > to_come) {
        lose(way, direction, begin, sink);
        return;
    }
    way.held.clear();
    way.passed = to_come - missing;
}

void Stream::finish(Direction direction, std::uint64_t position, Sink& sink) {
    Way& way = ways_[static_cast<std::size_t>(direction)];
    if (not_mine_) {
        return;
    }
    if (way.held.size() >= kPrefix) {
        give(way, way.held.size() - kPrefix, direction, sink);
        way.held.clear();
    }
    messages_->finish(direction, position, sink);
}

}  // namespace

Match detect_stream(Direction direction, std::span<const std::byte> bytes) {
    constexpr std::byte kUsual{0x10};  // messages of 4 KiB and more do not begin a conversation
    const std::string_view text = as_text(bytes);
    if (text.size() < kPrefix) {
        return text.empty() || bytes[0] < kUsual ? Match::maybe : Match::no;
    }
    const std::size_t length = length_at(text);
    if (length < kHeaderBytes) {
        return Match::no;
    }
    const std::string_view message = text.substr(kPrefix, length);
    if (message.empty()) {
        return Match::maybe;
    }
    Message read;
    if (message.size() == length && (read_message(message, read) != Extent::whole || read.bytes != length)) {
        return Match::no;
    }
    return detect(direction, bytes.subspan(kPrefix, message.size()));
}

std::unique_ptr<Parser> make_stream() {
    return std::make_unique<Stream>();
}

}  // namespace timesink::proto::dns
