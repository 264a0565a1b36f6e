#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/lines.hpp"
#include "proto/redis/value.hpp"

namespace timesink::proto::redis {

/// Picks out of a reply what tells its kind: its type, its first line, and of an array or push the first element (the word that
/// names a push) and the third (how many subscriptions are left).
class ReplyReader final : public ValueSink {
public:
    void begin() { *this = ReplyReader(); }
    void item(char type, std::string_view text, std::size_t depth) override {
        if (depth == 0) {
            type_ = type;
            text_ = text.substr(0, kKept);
        } else if (depth == 1 && ++elements_ == 1) {
            first_ = type == '$' ? "" : text.substr(0, kKept);
            first_known_ = type != '$';
        } else if (depth == 1 && elements_ == 3 && type == ':') {
            third_ = text.substr(0, kKept);
        }
    }
    void string_bytes(std::span<const std::byte> bytes, std::size_t depth) override {
        std::string* into = depth == 0 && type_ == '!' ? &error_ : depth == 1 && elements_ == 1 ? &first_ : nullptr;
        if (into != nullptr) {
            into->append(as_text(bytes).substr(0, kKept - std::min(kKept, into->size())));
        }
    }
    void string_end(std::size_t depth) override {
        first_known_ = first_known_ || (depth == 1 && elements_ == 1);
        error_known_ = error_known_ || depth == 0;
    }
    /// Whether the string in progress, if one is, is read: a hole in it would give a wrong word.
    [[nodiscard]] bool reads() const { return (type_ == '!' && !error_known_) || (elements_ == 1 && !first_known_); }

    [[nodiscard]] char type() const { return type_; }  ///< 0: not known yet
    [[nodiscard]] std::string_view text() const { return text_; }
    [[nodiscard]] std::string_view first() const { return first_; }
    [[nodiscard]] bool first_known() const { return first_known_; }
    [[nodiscard]] std::string_view third() const { return third_; }
    /// "WRONGTYPE", "MOVED", …; "ERR" for a text without a code. Empty: no error.
    [[nodiscard]] std::string error() const {
        if (type_ != '-' && type_ != '!') {
            return {};
        }
        const std::string_view text = type_ == '-' ? std::string_view(text_) : error_;
        const std::string_view word = text.substr(0, text.find(' '));
        const bool code =
            !word.empty() && word.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == std::string_view::npos;
        return std::string(code ? word : "ERR");
    }

private:
    static constexpr std::size_t kKept = 64;
    char type_ = 0;
    std::string text_;
    std::string error_;  ///< of a blob error
    std::string first_;
    std::string third_;
    bool first_known_ = false;
    bool error_known_ = false;
    std::uint64_t elements_ = 0;
};

}  // namespace timesink::proto::redis
