#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "proto/dns/dns.hpp"
#include "proto/dns/message.hpp"
#include "proto/lines.hpp"
#include "proto/numbered.hpp"

namespace timesink::proto::dns {
namespace {

/// More of a message is not looked at: what it says stands at its begin.
constexpr std::size_t kMostHeld = 4096;

struct Asked {
    std::string name;
    std::uint16_t type = 0;
    std::uint64_t again = 0;
};

/// One exchange per question, by the message's id. A datagram is one message; several may be sent by one call. Where a message is
/// not wholly seen, the next one begins with a call.
class Dns final : public Parser {
public:
    explicit Dns(std::size_t framing) : framing_(framing) {}

    Parsed parse(const Chunk& chunk, Sink& sink) override;
    void gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) override;
    void finish(Direction direction, std::uint64_t position, Sink& sink) override;

private:
    /// Of one direction.
    struct Way {
        std::string held;         // of a message that is not whole
        std::uint64_t begin = 0;  // position of held[0]
        bool passes = false;      // the rest of the call is not looked at
        std::optional<End> cut;   // of the message that it belongs to, if it was told of
    };
    void take(Way& way, Direction direction, Sink& sink);
    void cut_off(Way& way, Direction direction, std::uint64_t position, Sink& sink);
    std::optional<End> told(Direction direction, std::uint64_t begin, const Message& message, Sink& sink);
    std::optional<End> question(std::uint64_t begin, const Message& message, Sink& sink);
    std::optional<End> answer(std::uint64_t begin, const Message& message, Sink& sink);
    void over(Way& way, std::uint64_t position, Sink& sink);

    std::size_t framing_;
    std::array<Way, 2> ways_;
    Numbered<Asked> numbered_;
    std::uint64_t seen_ = 0;  // of the answers: position behind the latest
    bool understood_ = false;
    bool not_mine_ = false;
};

Parsed Dns::parse(const Chunk& chunk, Sink& sink) {
    Way& way = ways_[static_cast<std::size_t>(chunk.direction)];
    const std::uint64_t end = chunk.position + chunk.bytes.size();
    if (chunk.direction == Direction::response) {
        seen_ = end;
    }
    // Behind a gap that reached to the end of its call the next one begins with a message.
    if (way.passes && detect(chunk.direction, chunk.bytes) == Match::yes) {
        over(way, chunk.position, sink);
    }
    if (!way.passes) {
        way.begin = way.held.empty() ? chunk.position : way.begin;
        way.held += as_text(chunk.bytes);
        take(way, chunk.direction, sink);
    }
    if (not_mine_) {
        return {0, Verdict::not_mine};
    }
    if (chunk.ends_call && !way.held.empty()) {
        cut_off(way, chunk.direction, end, sink);
    }
    if (chunk.ends_call) {
        over(way, end, sink);
    }
    return {chunk.bytes.size(), Verdict::ok};
}

/// All messages that are whole.
void Dns::take(Way& way, Direction direction, Sink& sink) {
    std::size_t taken = 0;
    while (taken < way.held.size()) {
        Message message;
        const Extent extent = read_message(std::string_view(way.held).substr(taken), message);
        if (extent == Extent::begun && way.held.size() - taken <= kMostHeld) {
            break;
        }
        if (extent != Extent::whole) {
            way.held.erase(0, taken);
            way.begin += taken;
            cut_off(way, direction, way.begin, sink);
            return;
        }
        const std::uint64_t begin = way.begin + taken;
        if (std::optional<End> end = told(direction, begin, message, sink)) {
            end->end = begin + message.bytes;
            sink.end(*end);
        }
        taken += message.bytes;
    }
    way.held.erase(0, taken);
    way.begin += taken;
}

/// What is held is all that will be seen of a message. It is told of if its question was seen.
void Dns::cut_off(Way& way, Direction direction, std::uint64_t position, Sink& sink) {
    Message message;
    const Extent extent = read_message(way.held, message);
    if (extent == Extent::bad && !understood_) {
        not_mine_ = true;
        return;
    }
    if (extent != Extent::bad && message.asked) {
        way.cut = told(direction, way.begin, message, sink);
    } else {
        sink.lost_sync(direction, position);
    }
    way.held.clear();
    way.passes = true;
}

/// What was cut off ends with its call.
void Dns::over(Way& way, std::uint64_t position, Sink& sink) {
    way.passes = false;
    if (way.cut) {
        way.cut->end = position;
        way.cut->complete = false;
        sink.end(*way.cut);
        way.cut.reset();
    }
}

/// Nothing: it is of no exchange that is known, or says nothing new.
std::optional<End> Dns::told(Direction direction, std::uint64_t begin, const Message& message, Sink& sink) {
    if (message.response != (direction == Direction::response)) {
        sink.lost_sync(direction, begin);  // two that ask each other
        return std::nullopt;
    }
    understood_ = true;
    for (const std::string_view part : message.parts) {
        sink.keep(direction, begin + static_cast<std::uint64_t>(part.data() - message.parts.front().data()), part,
                  Kept::structure);
    }
    return direction == Direction::request ? question(begin, message, sink) : answer(begin, message, sink);
}

std::optional<End> Dns::question(std::uint64_t begin, const Message& message, Sink& sink) {
    auto* const open = numbered_.find(message.id);
    if (open != nullptr && open->asked.name == message.name && open->asked.type == message.type) {
        ++open->asked.again;  // no answer came in time: the wait goes on
        return std::nullopt;
    }
    Head head{.begin = begin - framing_, .operation = std::string(type_name(message.type)), .target = message.name};
    head.correlation = numbered_.ask(message.id, {message.name, message.type, 0}, [&](Correlation lost) {
        sink.end({.direction = Direction::response, .correlation = lost, .end = seen_, .error = "lost", .complete = false});
    });
    sink.head(head);
    return End{.correlation = head.correlation};
}

std::optional<End> Dns::answer(std::uint64_t begin, const Message& message, Sink& sink) {
    const auto* const open = numbered_.find(message.id);
    if (open == nullptr || (message.asked && (open->asked.name != message.name || open->asked.type != message.type))) {
        return std::nullopt;  // answered before, by another server or to a question asked again
    }
    Head head{
        .direction = Direction::response, .correlation = open->correlation, .begin = begin - framing_, .answers_in_order = false};
    head.error = rcode_name(message.rcode);
    if (open->asked.again > 0) {
        head.attributes.emplace_back("dns.asked_again", std::to_string(open->asked.again));
    }
    if (message.truncated) {
        head.attributes.emplace_back("dns.truncated", "true");
    }
    numbered_.remove(message.id);
    sink.head(head);
    return End{.direction = Direction::response, .correlation = head.correlation, .rows = message.answers};
}

void Dns::gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) {
    Way& way = ways_[static_cast<std::size_t>(direction)];
    if (not_mine_ || end <= begin || way.passes) {
        return;
    }
    if (!way.held.empty()) {
        cut_off(way, direction, begin, sink);
    }
    way.passes = true;
}

void Dns::finish(Direction direction, std::uint64_t position, Sink& sink) {
    if (!not_mine_) {
        over(ways_[static_cast<std::size_t>(direction)], position, sink);
    }
}

}  // namespace

Match detect(Direction direction, std::span<const std::byte> bytes) {
    // What every ordinary message has in common, byte for byte: id, flags, counts (RFC 1035, section 4.1.1).
    constexpr std::size_t kCounts = 4;
    const std::string_view text = as_text(bytes);
    const bool response = direction == Direction::response;
    Message message;
    if (text.size() < kHeaderBytes) {
        // The bytes that are missing are taken for zeros: of these no field says that it is none.
        std::string header(text);
        header.resize(kHeaderBytes, '\0');
        header[2] = text.size() > 2 ? text[2] : static_cast<char>(response ? 0x80 : 0);
        header[kCounts] = text.size() > kCounts ? text[kCounts] : '\0';
        header[kCounts + 1] = text.size() > kCounts + 1 ? text[kCounts + 1] : '\1';
        return read_message(header, message) != Extent::bad && message.response == response ? Match::maybe : Match::no;
    }
    const Extent extent = read_message(text, message);
    if (extent == Extent::bad || message.response != response) {
        return Match::no;
    }
    return message.asked ? Match::yes : extent == Extent::begun ? Match::maybe : Match::no;
}

std::unique_ptr<Parser> make(std::size_t framing) {
    return std::make_unique<Dns>(framing);
}

std::unique_ptr<Parser> make() {
    return make(0);
}

}  // namespace timesink::proto::dns
