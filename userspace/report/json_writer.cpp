#include "report/json_writer.hpp"

#include <array>
#include <charconv>
#include <cmath>

#include "report/safe_text.hpp"

namespace timesink::report {

void JsonWriter::line() {
    if (indent_ > 0) {
        out_ += '\n';
        out_.append(filled_.size() * static_cast<std::size_t>(indent_), ' ');
    }
}

void JsonWriter::begin_value() {
    if (after_key_) {
        after_key_ = false;
        return;
    }
    if (!filled_.empty()) {
        out_ += filled_.back() ? "," : "";
        filled_.back() = true;
        line();
    }
}

JsonWriter& JsonWriter::open(char bracket) {
    begin_value();
    out_ += bracket;
    filled_.push_back(false);
    return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
    const bool had = filled_.back();
    filled_.pop_back();
    if (had) {
        line();
    }
    out_ += bracket;
    return *this;
}

void JsonWriter::quote(std::string_view text) {
    out_ += '"';
    append_json_escaped(out_, text);
    out_ += '"';
}

JsonWriter& JsonWriter::key(std::string_view name) {
    begin_value();
    quote(name);
    out_ += indent_ > 0 ? ": " : ":";
    after_key_ = true;
    return *this;
}

JsonWriter& JsonWriter::string(std::string_view text) {
    begin_value();
    quote(text);
    return *this;
}

namespace {

template <typename Number>
void append_number(std::string& out, Number value) {
    std::array<char, 40> buffer{};
    out.append(buffer.data(), std::to_chars(buffer.begin(), buffer.end(), value).ptr);
}

}  // namespace

JsonWriter& JsonWriter::number(std::uint64_t value) {
    begin_value();
    append_number(out_, value);
    return *this;
}

JsonWriter& JsonWriter::number(std::int64_t value) {
    begin_value();
    append_number(out_, value);
    return *this;
}

JsonWriter& JsonWriter::number(double value) {
    if (!std::isfinite(value)) {
        return null();
    }
    begin_value();
    append_number(out_, value);
    return *this;
}

JsonWriter& JsonWriter::boolean(bool value) {
    begin_value();
    out_ += value ? "true" : "false";
    return *this;
}

JsonWriter& JsonWriter::null() {
    begin_value();
    out_ += "null";
    return *this;
}

}  // namespace timesink::report
