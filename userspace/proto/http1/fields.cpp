#include "proto/http1/fields.hpp"

#include <algorithm>
#include <array>

#include "base/ascii.hpp"
#include "proto/lines.hpp"

namespace timesink::proto::http1 {
namespace {

constexpr std::size_t kLongestField = std::size_t{16} * 1024;  // with its continuations
constexpr std::size_t kLongestKeptValue = 512;
// A message that repeats a kept field thousands of times must not grow without bound.
constexpr std::size_t kMostAttributes = 40;

}  // namespace

enum class Fields::Meaning : std::uint8_t { kept, length, transfer, host, upgrade, authorization };

/// A field that is read, with the names of its attributes; others are passed over.
struct Fields::Known {
    std::string_view name;
    Meaning meaning;
    std::string_view of_request;  ///< empty: no attribute
    std::string_view of_response;
    static const std::array<Known, 39> kAll;
    /// Null: not one of them.
    static const Known* find(std::string_view name);
};

namespace {

/// A set of lengths, one bit each: most fields are told by theirs not to be among the known.
constexpr std::uint32_t bit_of(std::size_t size) {
    return size < 32 ? std::uint32_t{1} << size : 0;
}

bool is(std::string_view text, std::string_view lower_case) {
    return text.size() == lower_case.size() &&
           std::equal(text.begin(), text.end(), lower_case.begin(), [](char a, char b) { return to_lower(a) == b; });
}

/// Of "AWS4-HMAC-SHA256 Credential=KEY/20261121/us-east-1/s3/aws4_request, …" the "s3": for which of Amazon's APIs it was signed.
/// Empty: it is not said, or is nothing that could be a service's name.
std::string_view signed_service(std::string_view value) {
    constexpr std::string_view kScope = "Credential=";
    const std::size_t begin = value.find(kScope);
    if (begin == std::string_view::npos) {
        return {};
    }
    value = value.substr(begin + kScope.size());
    value = value.substr(0, value.find_first_of(", "));
    const std::size_t last = value.rfind('/');
    const std::size_t before = last == std::string_view::npos || last == 0 ? last : value.rfind('/', last - 1);
    if (before == std::string_view::npos || value.substr(last) != "/aws4_request") {
        return {};
    }
    const std::string_view service = value.substr(before + 1, last - before - 1);
    const bool is_name = !service.empty() && service.size() <= 32 && std::all_of(service.begin(), service.end(), [](char c) {
        return is_lower(c) || is_digit(c) || c == '-';
    });
    return is_name ? service : std::string_view();
}

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && is_blank(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && is_blank(text.back())) {
        text.remove_suffix(1);
    }
    return text;
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

constexpr std::array<Fields::Known, 39> Fields::Known::kAll = {{
    {"content-type", Meaning::kept, "http.request.header.content-type", "http.response.header.content-type"},
    {"content-length", Meaning::length, "http.request.header.content-length", "http.response.header.content-length"},
    {"traceparent", Meaning::kept, "http.request.header.traceparent", "http.response.header.traceparent"},
    {"x-request-id", Meaning::kept, "http.request.header.x-request-id", "http.response.header.x-request-id"},
    {"x-correlation-id", Meaning::kept, "http.request.header.x-correlation-id", "http.response.header.x-correlation-id"},
    {"server-timing", Meaning::kept, "http.request.header.server-timing", "http.response.header.server-timing"},
    {"x-response-time", Meaning::kept, "http.request.header.x-response-time", "http.response.header.x-response-time"},
    {"x-cache-status", Meaning::kept, "http.request.header.x-cache-status", "http.response.header.x-cache-status"},
    {"transfer-encoding", Meaning::transfer, "http.request.header.transfer-encoding", "http.response.header.transfer-encoding"},
    {"content-encoding", Meaning::kept, "http.request.header.content-encoding", "http.response.header.content-encoding"},
    {"retry-after", Meaning::kept, {}, "http.response.header.retry-after"},
    {"retry-after-ms", Meaning::kept, {}, "http.response.header.retry-after-ms"},
    {"openai-processing-ms", Meaning::kept, {}, "http.response.header.openai-processing-ms"},
    {"x-stainless-retry-count", Meaning::kept, "http.request.header.x-stainless-retry-count", {}},
    {"x-ratelimit-limit-requests", Meaning::kept, {}, "http.response.header.x-ratelimit-limit-requests"},
    {"x-ratelimit-limit-tokens", Meaning::kept, {}, "http.response.header.x-ratelimit-limit-tokens"},
    {"x-ratelimit-remaining-requests", Meaning::kept, {}, "http.response.header.x-ratelimit-remaining-requests"},
    {"x-ratelimit-remaining-tokens", Meaning::kept, {}, "http.response.header.x-ratelimit-remaining-tokens"},
    {"x-ratelimit-reset-requests", Meaning::kept, {}, "http.response.header.x-ratelimit-reset-requests"},
    {"x-ratelimit-reset-tokens", Meaning::kept, {}, "http.response.header.x-ratelimit-reset-tokens"},
    {"anthropic-ratelimit-requests-limit", Meaning::kept, {}, "http.response.header.anthropic-ratelimit-requests-limit"},
    {"anthropic-ratelimit-requests-remaining", Meaning::kept, {}, "http.response.header.anthropic-ratelimit-requests-remaining"},
    {"anthropic-ratelimit-requests-reset", Meaning::kept, {}, "http.response.header.anthropic-ratelimit-requests-reset"},
    {"anthropic-ratelimit-tokens-limit", Meaning::kept, {}, "http.response.header.anthropic-ratelimit-tokens-limit"},
    {"anthropic-ratelimit-tokens-remaining", Meaning::kept, {}, "http.response.header.anthropic-ratelimit-tokens-remaining"},
    {"anthropic-ratelimit-tokens-reset", Meaning::kept, {}, "http.response.header.anthropic-ratelimit-tokens-reset"},
    {"anthropic-ratelimit-input-tokens-limit", Meaning::kept, {}, "http.response.header.anthropic-ratelimit-input-tokens-limit"},
    {"anthropic-ratelimit-input-tokens-remaining",
     Meaning::kept,
     {},
     "http.response.header.anthropic-ratelimit-input-tokens-remaining"},
    {"anthropic-ratelimit-input-tokens-reset", Meaning::kept, {}, "http.response.header.anthropic-ratelimit-input-tokens-reset"},
    {"anthropic-ratelimit-output-tokens-limit",
     Meaning::kept,
     {},
     "http.response.header.anthropic-ratelimit-output-tokens-limit"},
    {"anthropic-ratelimit-output-tokens-remaining",
     Meaning::kept,
     {},
     "http.response.header.anthropic-ratelimit-output-tokens-remaining"},
    {"anthropic-ratelimit-output-tokens-reset",
     Meaning::kept,
     {},
     "http.response.header.anthropic-ratelimit-output-tokens-reset"},
    {"x-amz-content-sha256", Meaning::kept, "http.request.header.x-amz-content-sha256", {}},
    {"x-amz-copy-source", Meaning::kept, "http.request.header.x-amz-copy-source", {}},
    {"x-amz-decoded-content-length", Meaning::kept, "http.request.header.x-amz-decoded-content-length", {}},
    {"x-amz-target", Meaning::kept, "http.request.header.x-amz-target", {}},
    {"host", Meaning::host, {}, {}},
    {"upgrade", Meaning::upgrade, {}, {}},
    {"authorization", Meaning::authorization, "http.request.header.authorization", "http.response.header.authorization"},
}};

const Fields::Known* Fields::Known::find(std::string_view name) {
    static constexpr std::uint32_t kSizes = [] {
        std::uint32_t sizes = 0;
        for (const Known& known : kAll) {
            sizes |= bit_of(known.name.size());
        }
        return sizes;
    }();
    if ((kSizes & bit_of(name.size())) == 0) {
        return nullptr;
    }
    const auto found = std::find_if(kAll.begin(), kAll.end(), [name](const Known& known) { return is(name, known.name); });
    return found == kAll.end() ? nullptr : &*found;
}

Fields::Read Fields::read_of(std::string_view name) {
    const Known* const known = Known::find(trim(name));
    // Of these it matters that they are there: one is a digest of the body, the other a path.
    const bool only_there = known != nullptr && (known->name == "x-amz-content-sha256" || known->name == "x-amz-copy-source");
    return known == nullptr || only_there             ? Read::nothing
           : known->meaning == Meaning::authorization ? Read::first_word
                                                      : Read::all;
}

void Fields::clear() {
    pending_.clear();
    known_ = nullptr;
    length_ = Length::none;
    content_length_ = 0;
    transfer_ = Transfer::none;
    host_.clear();
    upgrade_.clear();
    attributes_.clear();
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
    const std::size_t colon = text.find(':');
    known_ = colon != std::string_view::npos ? Known::find(trim(text.substr(0, colon))) : nullptr;
    if (known_ == nullptr && colon != std::string_view::npos) {
        return;  // whatever continues it, nobody asks for it
    }
    pending_ = text;
}

void Fields::settle() {
    if (pending_.empty()) {
        return;
    }
    const std::string_view field = pending_;
    const std::size_t colon = field.find(':');
    // "Content-Length : 5" is an error (RFC 9112 section 5.1) that lenient servers accept; taken as they take it.
    const Known* known = known_;
    if (known == nullptr && colon != std::string_view::npos) {
        known = Known::find(trim(field.substr(0, colon)));  // the colon came with a continuation
    }
    if (known != nullptr) {
        const std::string_view value = trim(field.substr(colon + 1));
        if (known->meaning == Meaning::length) {
            length_field(value);
        } else if (known->meaning == Meaning::transfer) {
            transfer_field(value);
        } else if (known->meaning == Meaning::host && host_.empty()) {
            host_ = value.substr(0, kLongestKeptValue);
        } else if (known->meaning == Meaning::upgrade && upgrade_.empty()) {
            upgrade_ = lower(value.substr(0, value.find_first_of(", /")));
        }
        keep(direction_ == Direction::request ? known->of_request : known->of_response, value,
             known->meaning == Meaning::authorization);
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
            transfer_ = is(element, "chunked") ? Transfer::chunked : Transfer::other;
        }
    });
}

void Fields::keep(std::string_view attribute, std::string_view value, bool secret) {
    if (attributes_.size() >= kMostAttributes || attribute.empty()) {
        return;
    }
    if (!secret) {
        attributes_.emplace_back(attribute, value.substr(0, kLongestKeptValue));
        return;
    }
    // The scheme alone ("AWS4-HMAC-SHA256" tells object storage); what follows is a secret and is never kept.
    const std::string_view scheme = value.substr(0, value.find(' '));
    if (scheme.size() < value.size()) {
        attributes_.emplace_back(attribute, scheme.substr(0, 32));
        if (const std::string_view service = signed_service(value); !service.empty()) {
            attributes_.emplace_back("aws.signed.service", service);
        }
    }
}

}  // namespace timesink::proto::http1
