#include "proto/redis/value.hpp"

#include <algorithm>

namespace timesink::proto::redis {
namespace {

constexpr std::uint64_t kLongestString = std::uint64_t{1}
                                         << 40;  // the server's own limit is 512 MB by default, and can be raised
constexpr std::uint64_t kMostElements = std::uint64_t{1} << 40;
constexpr std::size_t kLongestHeader = 64;  // of a length or count; simple strings and errors may be longer

}  // namespace

void Value::begin() {
    state_ = State::line;
    line_.clear();
    levels_.clear();
    attributes_ = 0;
    chunked_ = false;
}

std::size_t Value::take(std::span<const std::byte> bytes, ValueSink& sink) {
    std::size_t taken = 0;
    while (taken < bytes.size() && state_ != State::done && state_ != State::invalid) {
        const std::span<const std::byte> rest = bytes.subspan(taken);
        if (state_ == State::string) {
            const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, rest.size()));
            if (told()) {
                sink.string_bytes(rest.first(piece), depth());
            }
            taken += static_cast<std::size_t>(skip(piece, sink));
        } else if (state_ == State::string_end) {
            const char expected = line_end_ == 2 ? '\r' : '\n';
            state_ = as_text(rest).front() == expected ? State::string_end : State::invalid;
            if (state_ == State::string_end) {
                sink.ending(taken, expected);
            }
            if (state_ == State::string_end && --line_end_ == 0) {
                string_done();
            }
            ++taken;
        } else {
            taken += line_.take(rest);
            const std::string_view text = line_.text();
            const bool lengthy = !text.empty() && std::string_view("+-(").find(text.front()) != std::string_view::npos;
            if (!line_.complete() && !lengthy && line_.length() > kLongestHeader) {
                state_ = State::invalid;
            } else if (line_.complete()) {
                const std::string line(text);
                sink.line(line, taken, line_.length());
                line_.clear();
                header(line, sink);
            }
        }
    }
    return taken;
}

std::uint64_t Value::skip(std::uint64_t bytes, ValueSink& sink) {
    if (state_ == State::string_end && bytes > 0) {
        const std::uint64_t skipped = std::min<std::uint64_t>(bytes, line_end_);
        line_end_ -= static_cast<unsigned>(skipped);
        if (line_end_ == 0) {
            string_done();
        }
        return skipped;
    }
    if (state_ != State::string) {
        return 0;
    }
    const std::uint64_t skipped = std::min(bytes, remaining_);
    remaining_ -= skipped;
    if (remaining_ == 0) {
        if (told() && !chunked_) {
            sink.string_end(depth());
        }
        state_ = State::string_end;
        line_end_ = 2;
        return skipped + (bytes > skipped ? skip(bytes - skipped, sink) : 0);
    }
    return skipped;
}

void Value::header(std::string_view line, ValueSink& sink) {
    const char type = line.empty() ? '\0' : line.front();
    const std::string_view text = line.substr(line.empty() ? 0 : 1);
    if (chunked_ && type != ';') {
        state_ = State::invalid;
        return;
    }
    switch (type) {
        case '+':
        case '-':
        case ':':
        case ',':
        case '(':
        case '#':
        case '_':
            if (told()) {
                sink.item(type, text, depth());
            }
            element_done();
            return;
        case '$':
        case '!':
        case '=':
        case ';':
            string_header(type, text, sink);
            return;
        case '*':
        case '~':
        case '>':
        case '%':
        case '|':
            aggregate_header(type, text, sink);
            return;
        case '.':
            if (!text.empty() || levels_.empty() || !levels_.back().streamed) {
                state_ = State::invalid;
                return;
            }
            levels_.back().streamed = false;
            levels_.back().remaining = 1;
            element_done();
            return;
        default:
            state_ = State::invalid;
    }
}

void Value::string_header(char type, std::string_view text, ValueSink& sink) {
    const bool piece = type == ';';
    if (piece && !chunked_) {
        state_ = State::invalid;
        return;
    }
    if (told() && !piece) {
        sink.item(type, text, depth());
    }
    if (type == '$' && text == "-1") {
        element_done();
        return;
    }
    if (type == '$' && text == "?") {
        chunked_ = true;
        return;
    }
    if (!parse_decimal(text, remaining_) || remaining_ > kLongestString) {
        state_ = State::invalid;
        return;
    }
    if (piece && remaining_ == 0) {
        chunked_ = false;
        if (told()) {
            sink.string_end(depth());
        }
        element_done();
        return;
    }
    state_ = State::string;
    if (remaining_ == 0) {
        (void)skip(0, sink);
    }
}

void Value::aggregate_header(char type, std::string_view text, ValueSink& sink) {
    const bool attribute = type == '|';
    if (told() && !attribute) {
        sink.item(type, text, depth());
    }
    if (type == '*' && text == "-1") {
        element_done();
        return;
    }
    Level level{0, text == "?", attribute};
    if (!level.streamed && (!parse_decimal(text, level.remaining) || level.remaining > kMostElements)) {
        state_ = State::invalid;
        return;
    }
    if (type == '%' || attribute) {
        level.remaining *= 2;
    }
    if (levels_.size() >= kDeepest || (level.streamed && (attribute || type == '>'))) {
        state_ = State::invalid;
        return;
    }
    if (level.remaining == 0 && !level.streamed) {
        if (!attribute) {
            element_done();
        }
        return;
    }
    levels_.push_back(level);
    attributes_ += attribute || attributes_ > 0 ? 1 : 0;
}

void Value::string_done() {
    if (chunked_) {
        state_ = State::line;  // the next piece
    } else {
        element_done();
    }
}

/// An element is complete, and with it the levels that it completes.
void Value::element_done() {
    state_ = State::line;
    line_.clear();
    while (!levels_.empty()) {
        Level& level = levels_.back();
        if (level.streamed || --level.remaining > 0) {
            return;
        }
        const bool attribute = level.attribute;
        levels_.pop_back();
        attributes_ -= attributes_ > 0 ? 1 : 0;
        if (attribute) {
            return;  // what it belongs to is yet to come
        }
    }
    state_ = State::done;
}

}  // namespace timesink::proto::redis
