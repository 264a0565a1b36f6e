#include <algorithm>
#include <array>

#include "proto/tls/record.hpp"
#include "proto/tls/tls.hpp"

namespace timesink::proto::tls {

namespace {

/// What a stranger sees of a TLS connection: the handshake as one exchange that is housekeeping, then a request and a response
/// for each change of direction.
///
/// | phase    | means                                                     | ends with                                     |
/// |----------|-----------------------------------------------------------|-----------------------------------------------|
/// | unknown  | nothing was seen of the handshake                         | ClientHello → greeted; anything else → open   |
/// | greeted  | ClientHello                                               | ServerHello → answered                        |
/// | answered | ServerHello; with 1.3 what follows looks like application data | the client's Finished, told by its length |
/// | open     | application data                                          |                                               |
///
/// The begin of a turn is told only when it is answered: where the target's own TLS library is read, what it sends and gets in
/// the clear takes this parser's place before that, and nothing was said that must be taken back.
class Tls final : public Parser {
public:
    explicit Tls(std::string_view over) : over_(over) {}

    Parsed parse(const Chunk& chunk, Sink& sink) override {
        Way& way = way_of(chunk.direction);
        std::span<const std::byte> rest = chunk.bytes;
        std::uint64_t position = chunk.position;
        while (!rest.empty()) {
            const std::size_t taken = way.left > 0             ? take_body(way, chunk.direction, position, rest, sink)
                                      : way.lost && !way.fresh ? take_lost(way, chunk.direction, position, rest, sink)
                                                               : take_begin(way, chunk.direction, position, rest, sink);
            if (not_mine_) {
                return {0, Verdict::not_mine};
            }
            rest = rest.subspan(taken);
            position += taken;
        }
        way.fresh = way.fresh || chunk.ends_call;
        way.between_calls = chunk.ends_call;
        return {chunk.bytes.size(), Verdict::ok};
    }

    void gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) override {
        Way& way = way_of(direction);
        cut_ = cut_ || way.between_calls;
        begin -= std::min<std::uint64_t>(way.held.size(), begin);
        way.held.clear();
        if (!way.lost && way.left >= end - begin) {
            way.left -= end - begin;
        } else if (!way.lost) {
            way.lost = true;
            way.left = 0;
            way.counts = true;
            way.type = ContentType::application_data;
        }
        way.fresh = false;
        if (phase_ != Phase::open && way.lost) {
            end_handshake(false, sink);
        }
        moved(way, direction, begin, end, sink);
    }

    void finish(Direction direction, std::uint64_t, Sink& sink) override {
        end_handshake(phase_ == Phase::answered, sink);
        if (direction == Direction::response || turn_ == Turn::answering) {
            end_turn(sink);
        }
    }

private:
    enum class Phase : std::uint8_t { unknown, greeted, answered, open };
    enum class Turn : std::uint8_t { idle, asking, answering };
    struct Way {
        std::uint64_t left = 0;  // of the record's body
        ContentType type = ContentType::application_data;
        std::string held;  // of a header, or of a record in the clear, that is not whole yet
        bool between_calls = true;
        bool lost = false;      // where records begin is not known
        bool fresh = false;     // a call begins with the next byte, or did with what is held: most writers begin a record there
        bool ciphered = false;  // what comes is no longer in the clear
        bool counts = true;     // the record is the application's
    };

    Way& way_of(Direction direction) { return ways_[direction == Direction::request ? 0 : 1]; }

    std::size_t take_lost(Way& way, Direction direction, std::uint64_t position, std::span<const std::byte> rest, Sink& sink) {
        way.counts = true;
        moved(way, direction, position, position + rest.size(), sink);
        return rest.size();
    }

    std::size_t take_body(Way& way, Direction direction, std::uint64_t position, std::span<const std::byte> rest, Sink& sink) {
        const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(way.left, rest.size()));
        way.left -= taken;
        moved(way, direction, position, position + taken, sink);
        return taken;
    }

    /// The header of a record, and all of one that is in the clear, is kept until it is whole.
    std::size_t take_begin(Way& way, Direction direction, std::uint64_t position, std::span<const std::byte> rest, Sink& sink) {
        const std::uint64_t begin = position - way.held.size();
        std::size_t taken = hold(way, kHeaderBytes, rest);
        if (way.held.size() < kHeaderBytes) {
            return taken;
        }
        const auto header = record_header(way.held);
        if (!header || (way.lost && header->type != ContentType::application_data)) {
            begin_anywhere(way, direction, begin, position + taken, sink);
            return taken;
        }
        way.type = header->type;
        if (header->type == ContentType::handshake && !way.ciphered && phase_ != Phase::open) {
            taken += hold(way, kHeaderBytes + header->length, rest.subspan(taken));
            if (way.held.size() == kHeaderBytes + header->length) {
                way.counts = false;
                keep_greeting(direction, begin, way.held, sink);
                greet(direction, begin, begin + way.held.size(), std::string_view(way.held).substr(kHeaderBytes), sink);
                way.held.clear();
            }
            return taken;
        }
        understood_ = true;
        sink.keep(direction, begin, way.held, Kept::structure);
        way.lost = way.fresh = false;
        way.held.clear();
        way.left = header->length;
        begin_record(way, direction, begin, header->length, sink);
        moved(way, direction, begin, begin + kHeaderBytes, sink);
        return taken;
    }

    /// Hellos are public, and name the server and the connection. Of other messages their kind stays.
    static void keep_greeting(Direction direction, std::uint64_t begin, std::string_view record, Sink& sink) {
        constexpr std::size_t kMessageHeader = 4;
        const auto message = handshake_message(record.substr(kHeaderBytes));
        const bool hello = message == Message::client_hello || message == Message::server_hello;
        sink.keep(direction, begin, hello ? record : record.substr(0, kHeaderBytes + kMessageHeader), Kept::structure);
    }

    static std::size_t hold(Way& way, std::size_t wanted, std::span<const std::byte> rest) {
        const std::size_t more = wanted > way.held.size() ? std::min(wanted - way.held.size(), rest.size()) : 0;
        way.held.append(text(rest.first(more)));
        return more;
    }

    /// Bytes where a record should begin, and none does.
    void begin_anywhere(Way& way, Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) {
        if (!understood_) {
            not_mine_ = true;
            return;
        }
        if (!way.lost) {
            sink.lost_sync(direction, begin);
        }
        way.lost = true;
        way.fresh = false;
        way.held.clear();
        way.counts = true;
        moved(way, direction, begin, end, sink);
    }

    /// A record of the handshake in the clear.
    void greet(Direction direction, std::uint64_t begin, std::uint64_t end, std::string_view body, Sink& sink) {
        const auto message = handshake_message(body);
        if (!message && !understood_) {
            not_mine_ = true;
            return;
        }
        understood_ = true;
        if (message == Message::client_hello && direction == Direction::request) {
            (void)read_client_hello(body, facts_);
            sink.secured(facts_);
            if (phase_ == Phase::unknown) {
                phase_ = Phase::greeted;
                Head head{.correlation = Correlation{++number_}, .begin = begin, .operation = "handshake"};
                head.host = facts_.server_name;
                head.housekeeping = true;
                note(head);
                sink.head(head);
            }
        } else if (message == Message::server_hello && direction == Direction::response && phase_ == Phase::greeted) {
            (void)read_server_hello(body, facts_);
            sink.secured(facts_);
            phase_ = Phase::answered;
            sink.end({.direction = Direction::request, .correlation = Correlation{number_}, .end = greeting_end_});
            Head head{.direction = Direction::response, .correlation = Correlation{number_}, .begin = begin};
            if (!facts_.version.empty()) {
                head.attributes.emplace_back("tls.protocol.version", facts_.version);
            }
            sink.head(head);
        }
        (direction == Direction::request ? greeting_end_ : answer_end_) = end;
    }

    void begin_record(Way& way, Direction direction, std::uint64_t begin, std::uint16_t length, Sink& sink) {
        constexpr int kMostBeforeFinished = 8;  // a certificate of the client's may come first, in several records
        constexpr std::uint16_t kAlert = 2 + 1 + 16;
        const bool modern = facts_.version == "1.3";
        way.ciphered = way.ciphered || way.type != ContentType::handshake;
        way.counts = way.type == ContentType::application_data;
        if (!way.counts) {
            return;
        }
        if (phase_ == Phase::answered && modern) {
            way.counts = false;
            const bool over = direction == Direction::request &&
                              (length == finished_length(facts_.suite) || ++before_finished_ > kMostBeforeFinished);
            if (over) {
                facts_.open_from = begin + kHeaderBytes + length;
                end_handshake(true, sink);
            }
            return;
        }
        facts_.open_from = phase_ == Phase::answered && direction == Direction::request ? begin : facts_.open_from;
        end_handshake(phase_ == Phase::answered, sink);
        way.counts = !(modern && length == kAlert);  // an application that says two bytes looks the same
    }

    /// Bytes of a record.
    void moved(const Way& way, Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) {
        if (phase_ == Phase::answered) {
            (direction == Direction::request ? greeting_end_ : answer_end_) = end;
        }
        if (phase_ != Phase::open || !way.counts || begin == end) {
            return;
        }
        if (direction == Direction::request) {
            if (turn_ == Turn::answering) {
                end_turn(sink);
            }
            if (turn_ == Turn::idle) {
                turn_ = Turn::asking;
                request_begin_ = begin;
            }
            request_end_ = end;
            return;
        }
        if (turn_ == Turn::asking) {
            begin_turn(sink);
            Head head{.direction = Direction::response, .correlation = Correlation{number_}, .begin = begin};
            response_begin_ = begin;
            sink.head(head);
            turn_ = Turn::answering;
        }
        response_end_ = end;
    }

    void end_handshake(bool complete, Sink& sink) {
        if (phase_ == Phase::answered) {
            sink.end({.direction = Direction::response,
                      .correlation = Correlation{number_},
                      .end = answer_end_,
                      .complete = complete});
        } else if (phase_ == Phase::greeted) {
            sink.end({.direction = Direction::response,
                      .correlation = Correlation{number_},
                      .end = 0,
                      .error = "lost",
                      .complete = false});
        }
        if (phase_ != Phase::open) {
            phase_ = Phase::open;
            facts_.open = true;
            sink.secured(facts_);
        }
    }

    void begin_turn(Sink& sink) {
        Head head{.correlation = Correlation{++number_}, .begin = request_begin_, .target = "tls, not decoded"};
        head.host = facts_.server_name;
        note(head);
        sink.head(head);
        sink.end({.direction = Direction::request,
                  .correlation = Correlation{number_},
                  .end = request_end_,
                  .body_bytes = request_end_ - request_begin_,
                  .complete = !cut_});
    }

    void end_turn(Sink& sink) {
        if (turn_ == Turn::answering) {
            sink.end({.direction = Direction::response,
                      .correlation = Correlation{number_},
                      .end = response_end_,
                      .body_bytes = response_end_ - response_begin_,
                      .complete = !cut_});
        } else if (turn_ == Turn::asking) {
            begin_turn(sink);
        }
        turn_ = Turn::idle;
        cut_ = false;
    }

    void note(Head& head) const {
        if (!facts_.version.empty()) {
            head.attributes.emplace_back("tls.protocol.version", facts_.version);
        }
        if (!facts_.application_protocol.empty()) {
            head.attributes.emplace_back("tls.next_protocol", facts_.application_protocol);
        }
        if (!over_.empty()) {
            head.attributes.emplace_back("tls.over", over_);
        }
    }

    static std::string_view text(std::span<const std::byte> bytes) {
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }

    std::string_view over_;
    std::array<Way, 2> ways_;
    Phase phase_ = Phase::unknown;
    Turn turn_ = Turn::idle;
    bool understood_ = false;
    bool not_mine_ = false;
    bool cut_ = false;  // whole calls of this turn, or of more than one, were lost
    Secured facts_;
    int before_finished_ = 0;
    std::uint64_t number_ = 0;
    std::uint64_t greeting_end_ = 0;
    std::uint64_t answer_end_ = 0;
    std::uint64_t request_begin_ = 0;
    std::uint64_t request_end_ = 0;
    std::uint64_t response_begin_ = 0;
    std::uint64_t response_end_ = 0;
};

}  // namespace

std::unique_ptr<Parser> make() {
    return std::make_unique<Tls>("");
}

std::unique_ptr<Parser> make_over(std::string_view over) {
    return std::make_unique<Tls>(over);
}

}  // namespace timesink::proto::tls
