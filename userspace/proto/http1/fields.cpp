#include "proto/http1/fields.hpp"

#include <algorithm>
#include <array>

#include "proto/lines.hpp"

namespace timesink::proto::http1 {
namespace {

constexpr std::size_t kLongestField = std::size_t{16} * 1024;  // with its continuations
constexpr std::size_t kLongestKeptValue = 512;
// A message that repeats a kept field thousands of times must not grow without bound.
constexpr std::size_t kMostAttributes = 24;

constexpr std::array<std::string_view, 8> kKeptFields = {
    "content-type",  "content-length",  "traceparent",    "x-request-id",
    "server-timing", "x-response-time", "x-cache-status", "transfer-encoding",
};

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return out;
}

std::string_view trim(std::string_view text) {
    constexpr std::string_view kSpace = " \t\r";
    const std::size_t first = text.find_first_not_of(kSpace);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

/// Calls `each` with every element of a comma-separated list.
template <typename Each>
void for_each_element(std::string_view list, Each each) {
    while (true) {
        const std::size_t comma = list.find(',');
        each(trim(list.substr(0, comma)));
        if (comma == std::string_view::npos) {
            return;
        }
        list.remove_prefix(comma + 1);
    }
}

}  // namespace

void Fields::clear() {
    *this = Fields(direction_);
}

void Fields::line(std::string_view text) {
    if (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
        const std::string_view more = trim(text);
        if (!pending_.empty() && pending_.size() + more.size() < kLongestField) {
            pending_.append(" ").append(more);
        }
        return;
    }
    settle();
    pending_ = text;
}

void Fields::settle() {
    const std::size_t colon = pending_.find(':');
    if (colon != std::string::npos && colon > 0) {
        // "Content-Length : 5" is an error (RFC 9112 section 5.1) that lenient servers accept; taken as they take it.
        const std::string name = lower(trim(std::string_view(pending_).substr(0, colon)));
        const std::string_view value = trim(std::string_view(pending_).substr(colon + 1));
        if (name == "content-length") {
            length_field(value);
        } else if (name == "transfer-encoding") {
            transfer_field(value);
        } else if (name == "host" && host_.empty()) {
            host_ = value.substr(0, kLongestKeptValue);
        } else if (name == "upgrade" && upgrade_.empty()) {
            upgrade_ = lower(value.substr(0, value.find_first_of(", /")));
        }
        keep(name, value);
    }
    pending_.clear();
}

void Fields::length_field(std::string_view value) {
    // RFC 9110 section 8.6: a repeated length is valid only if all of them are the same number.
    for_each_element(value, [this](std::string_view element) {
        std::uint64_t number = 0;
        if (!parse_decimal(element, number) || (length_ == Length::known && number != content_length_)) {
            length_ = Length::invalid;
        }
        if (length_ == Length::none) {
            length_ = Length::known;
            content_length_ = number;
        }
    });
}

void Fields::transfer_field(std::string_view value) {
    // RFC 9112 section 6.3: the message is chunked when that is the last coding; several fields are one list.
    for_each_element(value, [this](std::string_view element) {
        if (!element.empty()) {
            transfer_ = lower(element) == "chunked" ? Transfer::chunked : Transfer::other;
        }
    });
}

void Fields::keep(std::string_view name, std::string_view value) {
    if (attributes_.size() >= kMostAttributes) {
        return;
    }
    std::string key = direction_ == Direction::request ? "http.request.header." : "http.response.header.";
    if (std::find(kKeptFields.begin(), kKeptFields.end(), name) != kKeptFields.end()) {
        attributes_.emplace_back(key.append(name), value.substr(0, kLongestKeptValue));
    } else if (name == "authorization") {
        // The scheme alone ("AWS4-HMAC-SHA256" tells object storage); what follows is a secret and is never kept.
        const std::string_view scheme = value.substr(0, value.find(' '));
        if (scheme.size() < value.size()) {
            attributes_.emplace_back(key.append(name), scheme.substr(0, 32));
        }
    }
}

}  // namespace timesink::proto::http1
