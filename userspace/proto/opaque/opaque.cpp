#include "proto/opaque/opaque.hpp"

namespace timesink::proto {

namespace {

class Opaque final : public Parser {
public:
    Parsed parse(const Chunk& chunk, Sink& sink) override {
        flow(chunk.direction, chunk.position, chunk.position + chunk.bytes.size(), sink);
        return {chunk.bytes.size(), Verdict::ok};
    }

    void gap(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) override {
        flow(direction, begin, end, sink);
    }

    void finish(Direction direction, std::uint64_t, Sink& sink) override {
        if (direction == Direction::response) {
            end_turn(sink);
        }
    }

private:
    // States: idle → (request bytes) asking → (response bytes) answering → (request bytes) asking …
    // A server that speaks first (a greeting) answers nothing: its bytes are passed over.
    enum class State : std::uint8_t { idle, asking, answering };

    void flow(Direction direction, std::uint64_t begin, std::uint64_t end, Sink& sink) {
        if (begin == end) {
            return;
        }
        if (direction == Direction::request) {
            if (state_ == State::answering) {
                end_turn(sink);
            }
            if (state_ == State::idle) {
                ++turn_;
                request_begin_ = begin;
                Head head;
                head.correlation = Correlation{turn_};
                head.begin = begin;
                head.operation = "turn";
                sink.head(head);
                state_ = State::asking;
            }
            request_end_ = end;
            return;
        }
        if (state_ == State::asking) {
            sink.end({.direction = Direction::request,
                      .correlation = Correlation{turn_},
                      .end = request_end_,
                      .body_bytes = request_end_ - request_begin_});
            Head head;
            head.direction = Direction::response;
            head.correlation = Correlation{turn_};
            head.begin = begin;
            response_begin_ = begin;
            sink.head(head);
            state_ = State::answering;
        }
        response_end_ = end;
    }

    void end_turn(Sink& sink) {
        if (state_ == State::answering) {
            sink.end({.direction = Direction::response,
                      .correlation = Correlation{turn_},
                      .end = response_end_,
                      .body_bytes = response_end_ - response_begin_});
            state_ = State::idle;
        }
    }

    State state_ = State::idle;
    std::uint64_t turn_ = 0;
    std::uint64_t request_begin_ = 0;
    std::uint64_t request_end_ = 0;
    std::uint64_t response_begin_ = 0;
    std::uint64_t response_end_ = 0;
};

}  // namespace

std::unique_ptr<Parser> make_opaque() {
    return std::make_unique<Opaque>();
}

}  // namespace timesink::proto
