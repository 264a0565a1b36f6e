#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/reader.hpp"

namespace timesink::proto::mongodb {

/// The elements of a BSON document, one after the other, as far as they were captured.
class Document {
public:
    struct Element {
        std::uint8_t type = 0;
        std::string_view name;
        std::string_view value;  ///< its bytes; of a document or array, with its length
    };
    /// `bytes` may go on behind the document, or be cut.
    explicit Document(std::string_view bytes);
    /// None: no more, or the rest is cut or malformed (`ended()` tells).
    std::optional<Element> next();
    [[nodiscard]] bool ended() const { return ended_; }

private:
    Reader rest_;
    bool ended_ = false;
};

inline constexpr std::uint8_t kDouble = 0x01;
inline constexpr std::uint8_t kString = 0x02;
inline constexpr std::uint8_t kDocument = 0x03;
inline constexpr std::uint8_t kArray = 0x04;
inline constexpr std::uint8_t kBool = 0x08;
inline constexpr std::uint8_t kInt32 = 0x10;
inline constexpr std::uint8_t kInt64 = 0x12;

/// Of a string's value.
std::string_view text_of(std::string_view value);
/// Of a number or truth value; 0 for others.
double number_of(const Document::Element& element);

/// Appends the names of a document's elements, never values: "{status, total: {$gt}}". Elements of arrays have no names:
/// "[{$match: {a}}, {$group: {_id}}]"; those that look alike stand once. Bounded in depth and length.
void append_names(std::string_view document, bool array, int depth, std::string& out);

}  // namespace timesink::proto::mongodb
