#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace timesink::report {

/// Appends JSON to a string, member by member, in the order of the calls: the key order of the formats is that of the code.
/// Strings are made valid UTF-8; numbers are integers or the shortest decimal that reads back the same.
/// Not a document tree: the export writes millions of lines, and a tree would be built for each.
class JsonWriter {
public:
    /// `indent` 0: one line without blanks.
    JsonWriter(std::string& out, int indent) : out_(out), indent_(indent) {}

    JsonWriter& open(char bracket);   ///< '{' or '[' as a value
    JsonWriter& close(char bracket);  ///< '}' or ']'
    JsonWriter& key(std::string_view name);
    JsonWriter& string(std::string_view text);
    JsonWriter& number(std::uint64_t value);
    JsonWriter& number(std::int64_t value);
    JsonWriter& number(double value);  ///< null where it is not finite
    JsonWriter& boolean(bool value);
    JsonWriter& null();

    // Members in one call
    JsonWriter& member(std::string_view name, std::string_view text) { return key(name).string(text); }
    JsonWriter& member(std::string_view name, const char* text) { return key(name).string(text); }
    JsonWriter& member(std::string_view name, const std::string& text) { return key(name).string(text); }
    JsonWriter& member(std::string_view name, std::uint64_t value) { return key(name).number(value); }
    JsonWriter& member(std::string_view name, int value) { return key(name).number(std::int64_t{value}); }
    JsonWriter& member(std::string_view name, double value) { return key(name).number(value); }
    JsonWriter& member(std::string_view name, bool value) { return key(name).boolean(value); }
    JsonWriter& member(std::string_view name, Duration value) { return key(name).number(to_ns(value)); }
    /// Zero is "not seen": null.
    JsonWriter& member(std::string_view name, Instant value) {
        return value == Instant{} ? key(name).null() : key(name).number(to_ns(value));
    }
    template <typename T>
    JsonWriter& member(std::string_view name, const std::optional<T>& value) {
        return value ? member(name, *value) : key(name).null();
    }
    /// An empty one is "not known": null.
    JsonWriter& member_or_null(std::string_view name, std::string_view text) {
        return text.empty() ? key(name).null() : key(name).string(text);
    }

private:
    void begin_value();
    void line();
    void quote(std::string_view text);

    std::string& out_;
    int indent_;
    std::vector<bool> filled_;  ///< of each open bracket: it has a value already
    bool after_key_ = false;
};

}  // namespace timesink::report
