#include <algorithm>
#include <array>
#include <utility>

#include "proto/websocket/websocket.hpp"

namespace timesink::proto::websocket {
namespace {

/// The header of a frame (section 5.2): two bytes, up to eight of length, four of the mask.
struct FrameHeader {
    static constexpr std::size_t kMost = 14;
    std::uint8_t opcode = 0;
    bool last = false;  ///< FIN
    std::uint64_t length = 0;

    [[nodiscard]] bool is_control() const { return opcode >= 8; }

    enum class State : std::uint8_t { more, whole, bad };
    /// `size`: set to its own bytes when whole. What clients send is masked, what servers send is not (section 5.1): with the
    /// reserved bits the strongest mark that there is.
    State read(Direction direction, std::span<const std::byte> bytes, std::size_t& size) {
        if (bytes.size() < 2) {
            return State::more;
        }
        const auto at = [bytes](std::size_t i) { return std::to_integer<std::uint8_t>(bytes[i]); };
        opcode = at(0) & 0x0f;
        last = (at(0) & 0x80) != 0;
        const bool masked = (at(1) & 0x80) != 0;
        const std::uint8_t short_length = at(1) & 0x7f;
        const bool known = opcode <= 2 || (opcode >= 8 && opcode <= 10);
        const bool bad_control = is_control() && (!last || short_length > 125);
        if (!known || bad_control || (at(0) & 0x30) != 0 || masked != (direction == Direction::request)) {
            return State::bad;  // RSV1 alone is in use: compressed (RFC 7692)
        }
        const std::size_t extended = short_length == 126 ? 2 : short_length == 127 ? 8 : 0;
        size = 2 + extended + (masked ? 4 : 0);
        if (bytes.size() < size) {
            return State::more;
        }
        length = extended == 0 ? short_length : 0;
        for (std::size_t i = 0; i < extended; ++i) {
            length = length << 8 | at(2 + i);
        }
        return length >> 63 != 0 ? State::bad : State::whole;
    }
};

/// One direction.
struct Way {
    explicit Way(Direction way) : direction(way) {}
    Direction direction;
    bool lost = false;
    bool in_call = false;     ///< the last byte seen was not the last of its system call
    bool in_message = false;  ///< a data message is not over
    std::uint64_t begin = 0;  ///< of the frame in progress
    FrameHeader frame;
    std::uint64_t remaining = 0;  ///< of its payload
    std::array<std::byte, FrameHeader::kMost> held{};
    std::size_t held_bytes = 0;  ///< of a header that is not whole
};

/// Messages make turns: what the client sends until the server sends a message is a request, and that message its response. What
/// the server sends beyond answers nothing, as far as anybody can tell, and is counted. Without ids, pairing each message of the
/// client's with one of the server's would be a guess.
///
/// | turn     | client's message begins | client's ends | server's begins               | server's ends      |
/// |----------|-------------------------|---------------|-------------------------------|--------------------|
/// | none     | Head, -> asking         | –             | counted as pushed             | –                  |
/// | asking   | –                       | its end noted | where one had ended: End, Head, -> answered | –    |
/// | answered | –                       | –             | –                             | End, -> none       |
class WebSocket final : public Parser {
public:
    WebSocket(std::string target, std::string host, Correlation last)
        : target_(std::move(target)), host_(std::move(host)), turn_(static_cast<std::uint64_t>(last)) {}

    Parsed parse(const Chunk& chunk, Sink& sink) override;
    void gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) override;
    void finish(Direction direction, std::uint64_t position, Sink& sink) override;

private:
    enum class State : std::uint8_t { none, asking, answered };
    using Bytes = std::span<const std::byte>;

    std::size_t header(Way& way, Bytes bytes, std::uint64_t position, Sink& sink);
    void opened(Way& way, Sink& sink);
    void closed(Way& way, std::uint64_t end, Sink& sink);
    void lose(Way& way, std::uint64_t position, Sink& sink);
    void give_up(std::uint64_t position, Sink& sink);
    static bool resumes(const Way& way, Bytes bytes, bool ends_call);
    Way& way_of(Direction direction) { return direction == Direction::request ? request_ : response_; }

    std::string target_;
    std::string host_;
    Way request_{Direction::request};
    Way response_{Direction::response};
    State state_ = State::none;
    bool amid_turn_ =
        false;  ///< messages of the client were lost: what it sends until the server speaks belongs to a turn that they began
    std::uint64_t turn_;
    std::uint64_t asked_end_ = 0;  ///< position after the client's last whole message; 0: none is whole
    std::uint64_t asked_messages_ = 0;
    std::uint64_t asked_bytes_ = 0;
    std::uint64_t answer_bytes_ = 0;
    std::uint64_t pushed_ = 0;  ///< since the last turn
};

Parsed WebSocket::parse(const Chunk& chunk, Sink& sink) {
    Way& way = way_of(chunk.direction);
    Bytes rest = chunk.bytes;
    std::uint64_t position = chunk.position;
    if (way.lost && !way.in_call && resumes(way, rest, chunk.ends_call)) {
        way.lost = false;
    }
    while (!rest.empty() && !way.lost) {
        std::size_t taken = 0;
        if (way.remaining > 0) {
            taken = static_cast<std::size_t>(std::min<std::uint64_t>(way.remaining, rest.size()));
            way.remaining -= taken;
            if (way.remaining == 0) {
                closed(way, position + taken, sink);
            }
        } else {
            taken = header(way, rest, position, sink);
        }
        rest = rest.subspan(taken);
        position += taken;
    }
    way.in_call = !chunk.ends_call;
    return {chunk.bytes.size(), Verdict::ok};
}

std::size_t WebSocket::header(Way& way, Bytes bytes, std::uint64_t position, Sink& sink) {
    if (way.held_bytes == 0) {
        way.begin = position;
    }
    const std::size_t before = way.held_bytes;
    const std::size_t room = std::min(FrameHeader::kMost - before, bytes.size());
    std::copy_n(bytes.begin(), room, way.held.begin() + static_cast<std::ptrdiff_t>(before));
    std::size_t size = 0;
    switch (way.frame.read(way.direction, Bytes(way.held).first(before + room), size)) {
        case FrameHeader::State::more:
            way.held_bytes = before + room;
            return room;
        case FrameHeader::State::bad:
            lose(way, way.begin, sink);
            return room;
        case FrameHeader::State::whole:
            break;
    }
    way.held_bytes = 0;
    way.remaining = way.frame.length;
    sink.keep(way.direction, way.begin, {reinterpret_cast<const char*>(way.held.data()), size}, Kept::structure);
    opened(way, sink);
    if (way.remaining == 0 && !way.lost) {
        closed(way, way.begin + size, sink);
    }
    return size - before;
}

void WebSocket::opened(Way& way, Sink& sink) {
    if (way.frame.is_control()) {
        return;
    }
    if ((way.frame.opcode == 0) != way.in_message) {  // section 5.4: only a message in progress is continued
        if (way.frame.opcode != 0) {
            lose(way, way.begin, sink);
        }
        return;  // the rest of a message whose begin was lost
    }
    const bool client = way.direction == Direction::request;
    if (!std::exchange(way.in_message, true)) {
        if (client && state_ == State::none && !amid_turn_ && !response_.lost && !response_.in_message) {
            state_ = State::asking;
            asked_end_ = asked_messages_ = asked_bytes_ = 0;
            Head head{.correlation = Correlation{++turn_},
                      .begin = way.begin,
                      .operation = "MESSAGE",
                      .target = target_,
                      .host = host_};
            sink.head(head);
        } else if (!client && state_ == State::asking && asked_end_ > 0) {
            state_ = State::answered;
            answer_bytes_ = 0;
            sink.end({.correlation = Correlation{turn_}, .end = asked_end_, .body_bytes = asked_bytes_});
            sink.head({.direction = Direction::response, .correlation = Correlation{turn_}, .begin = way.begin});
        } else if (!client) {
            ++pushed_;
        }
    }
    (client ? asked_bytes_ : answer_bytes_) += way.frame.length;
}

void WebSocket::closed(Way& way, std::uint64_t end, Sink& sink) {
    if (way.frame.is_control() || !way.frame.last || !std::exchange(way.in_message, false)) {
        return;
    }
    if (way.direction == Direction::request) {
        if (state_ == State::asking) {
            asked_end_ = end;
            ++asked_messages_;
        }
        return;
    }
    amid_turn_ = false;
    if (state_ == State::answered) {
        state_ = State::none;
        End over{.direction = Direction::response, .correlation = Correlation{turn_}, .end = end, .body_bytes = answer_bytes_};
        over.attributes.emplace_back("websocket.messages", std::to_string(asked_messages_));
        if (pushed_ > 0) {
            over.attributes.emplace_back("websocket.pushed", std::to_string(std::exchange(pushed_, 0)));
        }
        sink.end(over);
    }
}

/// Frames one behind the other, up to the end of a call: chance does not make that of the bytes of a payload.
bool WebSocket::resumes(const Way& way, Bytes bytes, bool ends_call) {
    FrameHeader frame;
    while (!bytes.empty()) {
        std::size_t size = 0;
        if (frame.read(way.direction, bytes, size) != FrameHeader::State::whole || frame.length > bytes.size() - size) {
            return false;
        }
        bytes = bytes.subspan(size + static_cast<std::size_t>(frame.length));
    }
    return ends_call;
}

void WebSocket::lose(Way& way, std::uint64_t position, Sink& sink) {
    way.lost = true;
    amid_turn_ = amid_turn_ || way.direction == Direction::request;
    way.in_message = false;
    way.remaining = 0;
    way.held_bytes = 0;
    give_up(way.direction == Direction::response ? position : response_.begin, sink);
    sink.lost_sync(way.direction, position);
}

/// Whether, and by what, the turn was answered is not known any more.
void WebSocket::give_up(std::uint64_t position, Sink& sink) {
    if (std::exchange(state_, State::none) != State::none) {
        sink.end({.direction = Direction::response,
                  .correlation = Correlation{turn_},
                  .end = position,
                  .error = "lost",
                  .complete = false});
    }
}

void WebSocket::gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) {
    Way& way = way_of(direction);
    const std::uint64_t skipped = std::min(end - begin, way.remaining);
    way.remaining -= skipped;
    if (skipped > 0 && way.remaining == 0) {
        closed(way, begin + skipped, sink);
    }
    if (skipped < end - begin && !way.lost) {
        lose(way, begin + skipped, sink);
    }
}

void WebSocket::finish(Direction direction, std::uint64_t position, Sink& sink) {
    if (direction == Direction::response && state_ == State::answered) {
        state_ = State::none;
        sink.end({.direction = Direction::response,
                  .correlation = Correlation{turn_},
                  .end = position,
                  .body_bytes = answer_bytes_,
                  .complete = false});
    }
}

}  // namespace

std::unique_ptr<Parser> make(std::string target, std::string host, Correlation last) {
    return std::make_unique<WebSocket>(std::move(target), std::move(host), last);
}

}  // namespace timesink::proto::websocket
