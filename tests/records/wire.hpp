#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Protocol bytes for scripts and benchmarks: just enough of each protocol to write a conversation down, after its documentation
/// and not after our parsers.
namespace timesink::records {

namespace postgres {

inline std::string int16(std::uint16_t value) {
    return {static_cast<char>(value >> 8), static_cast<char>(value)};
}
inline std::string int32(std::uint32_t value) {
    return int16(static_cast<std::uint16_t>(value >> 16)) + int16(static_cast<std::uint16_t>(value));
}
inline std::string text(std::string_view value) {
    return std::string(value) + '\0';
}
/// Type byte, length with itself, body. https://www.postgresql.org/docs/15/protocol-message-formats.html
inline std::string message(char type, std::string_view body = {}) {
    return type + int32(static_cast<std::uint32_t>(body.size() + 4)) + std::string(body);
}

inline std::string query(std::string_view sql) {
    return message('Q', text(sql));
}
inline std::string parse(std::string_view name, std::string_view sql) {
    return message('P', text(name) + text(sql) + int16(0));
}
inline std::string bind(std::string_view name) {
    return message('B', text("") + text(name) + int16(0) + int16(0) + int16(0));
}
inline std::string describe(std::string_view name) {
    return message('D', 'S' + text(name));
}
inline std::string execute() {
    return message('E', text("") + int32(0));
}
inline std::string sync() {
    return message('S');
}
/// One column, text format.
inline std::string row_description(std::string_view column = "column") {
    return message('T', int16(1) + text(column) + int32(0) + int16(0) + int32(25) + int16(0xffff) + int32(0) + int16(0));
}
inline std::string data_row(std::string_view value = "value") {
    return message('D', int16(1) + int32(static_cast<std::uint32_t>(value.size())) + std::string(value));
}
inline std::string command_complete(std::string_view tag = "SELECT 1") {
    return message('C', text(tag));
}
inline std::string ready(char transaction = 'I') {
    return message('Z', std::string_view(&transaction, 1));
}
inline std::string error(std::string_view sqlstate) {
    return message('E', 'S' + text("ERROR") + 'C' + text(sqlstate) + 'M' + text("failed") + '\0');
}

}  // namespace postgres

namespace redis {

/// A command as clients send it: an array of bulk strings (RESP2).
inline std::string command(std::span<const std::string> words) {
    std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
    for (const std::string& word : words) {
        bytes += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
    }
    return bytes;
}

}  // namespace redis

namespace http {

/// Start line and fields, Content-Length where there is a body, and the body.
inline std::string message(std::string_view start, std::span<const std::string> fields = {}, std::size_t body = 0) {
    std::string bytes = std::string(start) + "\r\n";
    for (const std::string& field : fields) {
        bytes += field + "\r\n";
    }
    if (body != 0) {
        bytes += "Content-Length: " + std::to_string(body) + "\r\n";
    }
    return bytes + "\r\n" + std::string(body, 'x');
}

}  // namespace http

}  // namespace timesink::records
