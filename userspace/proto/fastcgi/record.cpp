#include "proto/fastcgi/record.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "base/ascii.hpp"
#include "proto/reader.hpp"

namespace timesink::proto::fastcgi {

namespace {

constexpr std::string_view kHttp = "HTTP_";
constexpr std::size_t kLongestTarget = 8192;

/// Four bytes with the top bit set, or one without (section 3.4).
std::optional<std::uint32_t> length_of(Reader& reader) {
    const std::uint8_t first = reader.byte();
    if (first < 0x80) {
        return reader.ok() ? std::optional<std::uint32_t>(first) : std::nullopt;
    }
    const auto rest = static_cast<std::uint32_t>(reader.big<3>());
    return reader.ok() ? std::optional((first & 0x7fU) << 24U | rest) : std::nullopt;
}

/// "HTTP_X_REQUEST_ID" -> "x-request-id" (RFC 3875 section 4.1.18); empty: it is no field of HTTP.
std::string field_of(std::string_view variable) {
    if (variable == "CONTENT_TYPE") {
        return "content-type";
    }
    if (!variable.starts_with(kHttp)) {
        return {};
    }
    std::string name(variable.substr(kHttp.size()));
    std::transform(name.begin(), name.end(), name.begin(), [](char c) { return c == '_' ? '-' : to_lower(c); });
    return name;
}

/// Appends, bounded.
void put(std::string& text, std::string_view more) {
    text.append(more.substr(0, kLongestTarget - std::min(kLongestTarget, text.size())));
}

void read_pair(std::string_view name, std::string_view value, Asked& asked, const Told& told) {
    Kept kind = Kept::structure;
    if (name == "REQUEST_METHOD") {
        put(asked.method, value.substr(0, 32));
    } else if (name == "REQUEST_URI") {
        put(asked.target, value);
        kind = Kept::target;
    } else if (name == "SCRIPT_NAME") {
        asked.script.insert(0, value.substr(0, kLongestTarget));
        kind = Kept::target;
    } else if (name == "PATH_INFO") {
        put(asked.script, value);
        kind = Kept::target;
    } else if (const std::string field = field_of(name);
               !field.empty() && http1::Fields::read_of(field) == http1::Fields::Read::all) {
        asked.fields.line(field + ": " + std::string(value));
    } else {
        return;
    }
    told(name, Kept::structure);
    told(value, kind);
}

}  // namespace

Header header_of(std::string_view bytes, bool from_client) {
    Reader reader(bytes);
    Header header;
    const std::uint8_t version = reader.byte();
    const std::uint8_t type = reader.byte();
    header.type = Type{type};
    header.request = static_cast<std::uint16_t>(reader.big<2>());
    header.content = static_cast<std::uint16_t>(reader.big<2>());
    header.padding = reader.byte();
    const std::uint8_t reserved = reader.byte();
    const bool sends = from_client ? header.type == Type::begin || header.type == Type::abort || header.type == Type::params ||
                                         header.type == Type::in || header.type == Type::data || header.type == Type::get_values
                                   : header.type == Type::end || header.type == Type::out || header.type == Type::err ||
                                         header.type == Type::values || header.type == Type::unknown;
    const bool of_connection = header.type == Type::get_values || header.type == Type::values || header.type == Type::unknown;
    const bool fixed = header.type == Type::begin || header.type == Type::end || header.type == Type::unknown;
    header.valid = reader.ok() && version == 1 && reserved == 0 && sends && (header.request == 0) == of_connection &&
                   (!fixed || header.content == 8);
    return header;
}

void read_params(std::string_view content, Asked& asked, const Told& told) {
    Reader reader(content);
    while (!reader.rest().empty()) {
        const std::string_view at = reader.rest();
        const auto name_size = length_of(reader);
        const auto value_size = length_of(reader);
        if (!name_size || !value_size) {
            return;
        }
        const std::size_t lengths = at.size() - reader.rest().size();
        const std::string_view name = reader.take(*name_size);
        const std::string_view value = reader.take(*value_size);
        if (!reader.ok()) {
            return;
        }
        told(at.substr(0, lengths), Kept::structure);
        read_pair(name, value, asked, told);
    }
}

Answered read_answer(std::string_view content, const Told& told) {
    constexpr std::string_view kStatus = "Status:";
    http1::Fields fields(Direction::response);
    Answered answered;
    bool whole = false;
    bool moved = false;
    while (!whole) {
        const std::size_t end = content.find('\n');
        if (end == std::string_view::npos) {
            break;
        }
        std::string_view line = content.substr(0, end);
        line = line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
        told(content.substr(line.size(), end + 1 - line.size()), Kept::structure);
        whole = line.empty();
        if (line.starts_with(kStatus)) {
            const std::string_view code = line.substr(0, std::min(line.size(), line.find_first_not_of(' ', kStatus.size()) + 3));
            told(code, Kept::structure);
            const std::string_view digits = code.substr(code.size() - std::min<std::size_t>(3, code.size()));
            const bool is_number = digits.size() == 3 && std::all_of(digits.begin(), digits.end(), is_digit);
            answered.status = is_number ? (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0') : 0;
        } else if (!whole) {
            told(line, Kept::field);
            moved = moved || line.starts_with("Location:");
            fields.line(line);
        }
        content.remove_prefix(end + 1);
    }
    fields.finish();
    fields.take_attributes(answered.attributes);
    if (answered.status == 0 && whole) {
        answered.status = moved ? 302 : 200;
    }
    return answered;
}

}  // namespace timesink::proto::fastcgi
