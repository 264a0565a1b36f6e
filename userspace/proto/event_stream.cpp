#include "proto/event_stream.hpp"

#include <algorithm>
#include <array>

#include "base/ascii.hpp"

namespace timesink::proto {

namespace {

constexpr std::size_t kLongestName = 64;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

}  // namespace

std::optional<EventStream::Kind> EventStream::kind_of(std::string_view content_type) {
    static constexpr std::array<std::string_view, 6> kLines = {"application/x-ndjson",   "application/ndjson",
                                                               "application/jsonl",      "application/x-jsonlines",
                                                               "application/json-lines", "application/stream+json"};
    const auto end =
        std::find_if(content_type.begin(), content_type.end(), [](char c) { return c == ';' || c == ' ' || c == '\t'; });
    const auto is = [&](std::string_view name) {
        return std::equal(content_type.begin(), end, name.begin(), name.end(),
                          [](char c, char lower_case) { return to_lower(c) == lower_case; });
    };
    if (is("text/event-stream")) {
        return Kind::server_sent;
    }
    return std::any_of(kLines.begin(), kLines.end(), is) ? std::optional(Kind::lines) : std::nullopt;
}

void EventStream::take(std::string_view bytes, std::uint64_t position, Listener& listener) {
    while (!bytes.empty()) {
        if (after_cr_ && bytes.front() == '\n') {
            after_cr_ = false;
            bytes.remove_prefix(1);
            ++position;
            continue;
        }
        after_cr_ = false;
        const std::size_t taken = step(bytes, position, listener);
        bytes.remove_prefix(taken);
        position += taken;
    }
}

/// Bytes up to the end of the line, or of the name.
std::size_t EventStream::step(std::string_view bytes, std::uint64_t position, Listener& listener) {
    const char first = bytes.front();
    if (first == '\n' || first == '\r') {
        after_cr_ = first == '\r';
        end_of_line(position, listener);
        return 1;
    }
    line_empty_ = false;
    if (state_ == State::space) {
        state_ = State::value;
        if (first == ' ') {
            return 1;
        }
    }
    const bool in_name = state_ == State::name && kind_ == Kind::server_sent;
    const std::size_t end = std::min(bytes.find_first_of(in_name ? ":\r\n" : "\r\n"), bytes.size());
    if (in_name) {
        field_.append(bytes.substr(0, std::min(end, kLongestName - std::min(kLongestName, field_.size()))));
        if (end < bytes.size() && bytes[end] == ':') {
            state_ = State::space;
            return end + 1;
        }
        return end;
    }
    store(bytes.substr(0, end));
    return end;
}

void EventStream::store(std::string_view bytes) {
    if (state_ == State::torn || kind_ == Kind::lines) {
        has_data_ = true;
        data_.append(bytes);
        return;
    }
    const std::string_view field = std::string_view(field_).starts_with(kByteOrderMark)
                                       ? std::string_view(field_).substr(kByteOrderMark.size())
                                       : std::string_view(field_);
    if (field == "data") {
        data_.append(bytes);
    } else if (field == "event" && event_name_.size() < kLongestName) {
        event_name_.append(bytes.substr(0, kLongestName - event_name_.size()));
    }
}

void EventStream::end_of_line(std::uint64_t position, Listener& listener) {
    const bool empty = line_empty_;
    line_empty_ = true;
    if (kind_ == Kind::lines || empty) {
        dispatch(position, listener);
    } else if (state_ != State::torn) {
        const bool data = field_ == "data" || (field_.starts_with(kByteOrderMark) && field_.ends_with("data"));
        if (data) {
            has_data_ = true;
            data_.append("\n");
        }
        field_.clear();
        state_ = State::name;
    }
}

void EventStream::dispatch(std::uint64_t position, Listener& listener) {
    if (has_data_) {
        listener.event({event_name_, data_, position, cut_});
    }
    state_ = State::name;
    has_data_ = cut_ = false;
    field_.clear();
    event_name_.clear();
    data_.clear();
}

void EventStream::gap() {
    data_.skip();
    cut_ = has_data_ = true;  // the gap itself is content of somebody's event
    state_ = State::torn;
    line_empty_ = false;
    after_cr_ = false;
}

void EventStream::finish(std::uint64_t position, Listener& listener) {
    if (kind_ == Kind::lines || cut_) {
        dispatch(position, listener);
    }
}

}  // namespace timesink::proto
