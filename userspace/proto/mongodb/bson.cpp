#include "proto/mongodb/bson.hpp"

#include <cstring>

namespace timesink::proto::mongodb {
namespace {

constexpr std::size_t kLongestName = 64;
constexpr std::size_t kLongestShape = 512;
constexpr int kDeepest = 4;

/// Bytes of a value; none: of no type that is known.
std::optional<std::uint64_t> size_of(std::uint8_t type, std::string_view rest) {
    Reader reader(rest);
    switch (type) {
        case kDouble:
        case 0x09:  // date
        case 0x11:  // time stamp
        case kInt64:
            return 8;
        case kString:
        case 0x0d:  // code
        case 0x0e:  // symbol
            return 4 + reader.little<4>();
        case kDocument:
        case kArray:
        case 0x0f:  // code with scope
            return reader.little<4>();
        case 0x05:  // binary
            return 5 + reader.little<4>();
        case 0x06:  // undefined
        case 0x0a:  // null
        case 0x7f:
        case 0xff:
            return 0;
        case 0x07:  // object id
            return 12;
        case kBool:
            return 1;
        case 0x0b: {  // regular expression
            const std::size_t pattern = reader.text().size();
            const std::size_t options = reader.text().size();
            return pattern + options + 2;
        }
        case kInt32:
            return 4;
        case 0x13:  // decimal
            return 16;
        default:
            return std::nullopt;
    }
}

}  // namespace

Document::Document(std::string_view bytes) : rest_(bytes) {
    const std::uint64_t size = Reader(bytes).little<4>();
    rest_ = Reader(bytes.substr(0, size));
    (void)rest_.take(4);
}

std::optional<Document::Element> Document::next() {
    if (ended_ || rest_.rest().empty()) {
        return std::nullopt;
    }
    Element element;
    element.type = rest_.byte();
    if (element.type == 0) {
        ended_ = true;
        return std::nullopt;
    }
    element.name = rest_.text();
    const auto size = size_of(element.type, rest_.rest());
    if (!rest_.ok() || !size) {
        rest_ = Reader({});
        return std::nullopt;
    }
    element.value = rest_.take_some(*size);
    if (!rest_.ok()) {
        rest_ = Reader({});  // its begin may still tell something
    }
    return element;
}

std::string_view text_of(std::string_view value) {
    Reader reader(value);
    const std::uint64_t size = reader.little<4>();
    const std::string_view text = reader.take_some(size);
    return text.substr(0, text.find('\0'));
}

double number_of(const Document::Element& element) {
    Reader reader(element.value);
    switch (element.type) {
        case kDouble: {
            const std::uint64_t bits = reader.little<8>();
            double value = 0;
            std::memcpy(&value, &bits, sizeof value);
            return value;
        }
        case kInt32:
            return static_cast<std::int32_t>(reader.little<4>());
        case kInt64:
            return static_cast<double>(static_cast<std::int64_t>(reader.little<8>()));
        case kBool:
            return reader.byte();
        default:
            return 0;
    }
}

void append_names(std::string_view document, bool array, int depth, std::string& out) {
    out.push_back(array ? '[' : '{');
    Document elements(document);
    std::string before;
    bool first = true;
    while (out.size() < kLongestShape) {
        const auto element = elements.next();
        if (!element) {
            break;
        }
        const bool nested = element->type == kDocument || element->type == kArray;
        std::string one;
        if (!array) {
            one = is_printable(element->name) ? element->name.substr(0, kLongestName) : "?";
        }
        if (nested && depth < kDeepest) {
            one += array ? "" : ": ";
            append_names(element->value, element->type == kArray, depth + 1, one);
        }
        if (one.empty() || (array && one == before)) {
            continue;
        }
        out.append(first ? "" : ", ").append(one);
        before = std::move(one);
        first = false;
    }
    if (out.size() >= kLongestShape) {
        out.append("…");
    }
    out.push_back(array ? ']' : '}');
}

}  // namespace timesink::proto::mongodb
