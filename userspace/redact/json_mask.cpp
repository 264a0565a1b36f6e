#include "redact/json_mask.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/ascii.hpp"
#include "redact/masks.hpp"

namespace timesink::redact {
namespace {

/// Names that genai::read_facts knows.
constexpr std::array<std::string_view, 41> kNames = {"usage",
                                                     "prompt_tokens",
                                                     "input_tokens",
                                                     "completion_tokens",
                                                     "output_tokens",
                                                     "total_tokens",
                                                     "cache_read_input_tokens",
                                                     "cache_creation_input_tokens",
                                                     "prompt_tokens_details",
                                                     "input_tokens_details",
                                                     "cached_tokens",
                                                     "completion_tokens_details",
                                                     "output_tokens_details",
                                                     "reasoning_tokens",
                                                     "choices",
                                                     "delta",
                                                     "content",
                                                     "reasoning_content",
                                                     "reasoning",
                                                     "refusal",
                                                     "tool_calls",
                                                     "function",
                                                     "name",
                                                     "arguments",
                                                     "text",
                                                     "thinking",
                                                     "partial_json",
                                                     "type",
                                                     "prompt",
                                                     "input",
                                                     "error",
                                                     "code",
                                                     "finish_reason",
                                                     "stop_reason",
                                                     "model",
                                                     "message",
                                                     "response",
                                                     "object",
                                                     "messages",
                                                     "data",
                                                     "stream"};
/// Where texts stand that are read, and not only seen to be there.
constexpr std::array<std::string_view, 11> kTexts = {
    "type",          "error.type",     "error.code", "choices.finish_reason", "delta.stop_reason", "stop_reason", "model",
    "message.model", "response.model", "object",     "response.object"};

bool is_known(std::string_view name) {
    return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

/// A model, a kind, a reason: not what somebody wrote.
bool is_name(std::string_view text) {
    constexpr std::string_view kCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/@+-";
    return text.find_first_not_of(kCharacters) == std::string_view::npos;
}

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

}  // namespace

std::string JsonMask::path() const {
    std::string path;
    const auto append = [&path](const std::string& name) {
        if (!name.empty()) {
            path.append(path.empty() ? "" : ".").append(name);
        }
    };
    std::for_each(names_.begin(), names_.end(), append);
    append(pending_);
    return path;
}

void JsonMask::begin(std::string_view name) {
    names_.clear();
    objects_.clear();
    pending_ = name;
    state_ = State::value;
    key_next_ = false;
}

void JsonMask::take(std::string_view piece, std::uint64_t position, const Put& put) {
    for (const char c : piece) {
        byte(c, position++, put);
    }
}

void JsonMask::byte(char c, std::uint64_t position, const Put& put) {
    switch (state_) {
        case State::broken:
            return;
        case State::text:
        case State::escape:
            if (state_ == State::text && c == '"') {
                put(position, c);
                text_over(put);
                return;
            }
            state_ = state_ == State::text && c == '\\' ? State::escape : State::text;
            ++text_bytes_;
            text_digest_.add(c);
            if (text_.size() < kLongest) {
                text_.push_back(c);
                places_.push_back(position);
            }
            return;
        case State::number:
            if (is_digit(c) || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-') {
                put(position, shown_ || !is_digit(c) ? c : '1');
                return;
            }
            break;
        case State::word:
            if (!word_.empty() && is_lower(c)) {
                put(position, shown_ ? c : word_.front());
                word_.erase(0, 1);
                return;
            }
            break;
        case State::value:
            break;
    }
    structure(c, position, put);
}

/// Between values, or behind a number or word, which has no end of its own.
void JsonMask::structure(char c, std::uint64_t position, const Put& put) {
    state_ = State::value;
    if (c == '{' || c == '[') {
        if (names_.size() >= kDeepest) {
            state_ = State::broken;
            return;
        }
        names_.push_back(std::exchange(pending_, {}));
        objects_.push_back(c == '{');
        key_next_ = c == '{';
    } else if (c == '}' || c == ']') {
        if (!names_.empty()) {
            names_.pop_back();
            objects_.pop_back();
        }
        pending_.clear();
        key_next_ = false;
    } else if (c == ',') {
        pending_.clear();
        key_next_ = !objects_.empty() && objects_.back();
    } else if (c == '"') {
        state_ = State::text;
        text_.clear();
        places_.clear();
        text_bytes_ = 0;
        text_digest_ = KeyedDigest(secret_ != nullptr ? *secret_ : Secret{});
    } else if (is_digit(c) || c == '-') {
        state_ = State::number;
        const std::string where = path();
        std::string_view of = where;
        for (const std::string_view wrapper : {"message.", "response."}) {
            of.remove_prefix(of.starts_with(wrapper) ? wrapper.size() : 0);
        }
        shown_ = of.starts_with("usage.");
        put(position, shown_ || c == '-' ? c : '1');
        return;
    } else if (c == 't' || c == 'f' || c == 'n') {
        state_ = State::word;
        shown_ = path() == "stream";
        word_ = c == 'f' ? "ull " : "ull";
        put(position, shown_ ? c : 'n');
        return;
    } else if (c != ':' && !is_blank(c)) {
        state_ = State::broken;  // no JSON
        return;
    }
    put(position, c);
}

void JsonMask::text_over(const Put& put) {
    constexpr std::size_t kDigest = 8;
    state_ = State::value;
    const bool whole = text_bytes_ == text_.size();
    bool shown = false;
    if (std::exchange(key_next_, false)) {
        shown = whole && is_known(text_);
        pending_ = shown ? text_ : "?";
    } else {
        shown = whole && is_name(text_) && std::find(kTexts.begin(), kTexts.end(), path()) != kTexts.end();
        pending_.clear();
    }
    if (shown) {
        for (std::size_t i = 0; i < text_.size(); ++i) {
            put(places_[i], text_[i]);
        }
    } else if (secret_ != nullptr && text_.size() >= kDigest) {
        std::uint64_t digest = text_digest_.value();
        for (std::size_t i = 0; i < kDigest; ++i, digest /= 26) {
            put(places_[i], static_cast<char>('a' + digest % 26));
        }
    }
}

void take_end(std::string_view piece, std::uint64_t position, const JsonMask::Put& put) {
    constexpr std::array<std::string_view, 3> kWanted = {"usage", "model", "finish_reason"};
    for (const std::string_view name : kWanted) {
        const std::string quoted = "\"" + std::string(name) + "\"";
        for (std::size_t at = piece.find(quoted); at != std::string_view::npos; at = piece.find(quoted, at + 1)) {
            const std::size_t colon = piece.find_first_not_of(" \t\r\n", at + quoted.size());
            if (colon == std::string_view::npos || piece[colon] != ':' || (at > 0 && piece[at - 1] == '\\')) {
                continue;
            }
            const std::size_t value = piece.find_first_not_of(" \t\r\n", colon + 1);
            const bool object = value != std::string_view::npos && piece[value] == '{';
            if (value == std::string_view::npos || object != (name == "usage") || (!object && piece[value] != '"')) {
                continue;
            }
            for (std::size_t i = at; i < value; ++i) {
                put(position + i, piece[i]);
            }
            JsonMask mask(nullptr);
            mask.begin(name == "finish_reason" ? "choices.finish_reason" : name);
            // Up to the end of the value: what follows is of a level that is not known.
            std::size_t end = object ? piece.find('}', value) : piece.find('"', value + 1);
            end = std::min(end, piece.size() - 1);
            if (object && piece.substr(value, end - value).find('{', 1) != std::string_view::npos) {
                end = std::min(piece.find("}}", value) + 1, piece.size() - 1);
            }
            mask.take(piece.substr(value, end + 1 - value), position + value, put);
        }
    }
}

}  // namespace timesink::redact
