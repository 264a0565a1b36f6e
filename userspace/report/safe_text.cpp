#include "report/safe_text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

namespace timesink::report {

namespace {

struct Decoded {
    char32_t code = 0;
    std::size_t length = 1;
    bool valid = false;
};

/// One character at the begin of `text`, which is not empty. Overlong forms, surrogates and what is beyond U+10FFFF are invalid
/// (RFC 3629, section 3); an invalid sequence is taken byte by byte.
Decoded decode(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    if (first < 0x80) {
        return {first, 1, true};
    }
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length) {
        return {};
    }
    char32_t code = first & (0xffU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0U) != 0x80) {
            return {};
        }
        code = (code << 6) | (byte(i) & 0x3fU);
    }
    constexpr std::array<char32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};
    if (code < kLeast[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
        return {};
    }
    return {code, length, true};
}

struct Range {
    char32_t first;
    char32_t last;
};

template <std::size_t N>
bool within(const std::array<Range, N>& ranges, char32_t code) {
    return std::any_of(ranges.begin(), ranges.end(),
                       [&](const Range& range) { return code >= range.first && code <= range.last; });
}

/// Steers or hides text: C0, DEL, C1, zero-width and bidirectional formatting, line separators, tags, the byte order mark.
bool is_steering(char32_t code) {
    static constexpr std::array<Range, 12> kSteering = {{{0x00, 0x1f},
                                                         {0x7f, 0x9f},
                                                         {0xad, 0xad},
                                                         {0x061c, 0x061c},
                                                         {0x180e, 0x180e},
                                                         {0x200b, 0x200f},
                                                         {0x2028, 0x202e},
                                                         {0x2060, 0x206f},
                                                         {0xfeff, 0xfeff},
                                                         {0xfff0, 0xfffb},
                                                         {0x1d173, 0x1d17a},
                                                         {0xe0000, 0xe0fff}}};
    return within(kSteering, code);
}

/// Unicode's East Asian Width W and F, and combining marks, in blocks: enough to keep columns straight.
std::size_t columns_of(char32_t code) {
    static constexpr std::array<Range, 9> kNone = {{{0x0300, 0x036f},
                                                    {0x0483, 0x0489},
                                                    {0x0591, 0x05bd},
                                                    {0x0610, 0x061a},
                                                    {0x064b, 0x065f},
                                                    {0x1ab0, 0x1aff},
                                                    {0x1dc0, 0x1dff},
                                                    {0x20d0, 0x20ff},
                                                    {0xfe00, 0xfe2f}}};
    static constexpr std::array<Range, 10> kTwo = {{{0x1100, 0x115f},
                                                    {0x2e80, 0x303e},
                                                    {0x3041, 0x4dbf},
                                                    {0x4e00, 0xa4cf},
                                                    {0xac00, 0xd7a3},
                                                    {0xf900, 0xfaff},
                                                    {0xfe30, 0xfe6f},
                                                    {0xff00, 0xff60},
                                                    {0x1f300, 0x1faff},
                                                    {0x20000, 0x3fffd}}};
    if (code < 0x0300) {
        return 1;
    }
    return within(kNone, code) ? 0 : within(kTwo, code) ? 2 : 1;
}

template <typename... Arguments>
void append_format(std::string& out, const char* format, Arguments... arguments) {
    std::array<char, 32> buffer{};
    const int length = std::snprintf(buffer.data(), buffer.size(), format, arguments...);
    out.append(buffer.data(), static_cast<std::size_t>(std::max(length, 0)));
}

void append_escaped(std::string& out, char32_t code) {
    switch (code) {
        case '\n':
            out += "\\n";
            break;
        case '\r':
            out += "\\r";
            break;
        case '\t':
            out += "\\t";
            break;
        default:
            append_format(out, code < 0x80 ? "\\x%02x" : "\\u{%x}", static_cast<unsigned>(code));
    }
}

}  // namespace

std::string terminal_safe(std::string_view text, bool ascii) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const Decoded next = decode(text);
        if (!next.valid) {
            append_format(out, "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(text[0])));
        } else if (is_steering(next.code) || (ascii && next.code >= 0x80)) {
            append_escaped(out, next.code);
        } else {
            out.append(text.substr(0, next.length));
        }
        text.remove_prefix(next.length);
    }
    return out;
}

void append_json_escaped(std::string& out, std::string_view text) {
    const auto is_plain = [](char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; };
    while (!text.empty()) {
        // Nearly all text is plain, and the export has much of it.
        if (const auto plain = static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_plain) - text.begin())) {
            out.append(text.substr(0, plain));
            text.remove_prefix(plain);
            continue;
        }
        const Decoded next = decode(text);
        if (!next.valid) {
            out += "\xef\xbf\xbd";
        } else if (next.code == '"' || next.code == '\\') {
            out += '\\';
            out += static_cast<char>(next.code);
        } else if (is_steering(next.code)) {
            // Beyond the basic plane JSON wants a surrogate pair (RFC 8259, section 7).
            if (next.code >= 0x10000) {
                const std::uint32_t rest = next.code - 0x10000;
                append_format(out, "\\u%04x\\u%04x", 0xd800 + (rest >> 10), 0xdc00 + (rest & 0x3ff));
            } else {
                append_format(out, "\\u%04x", static_cast<unsigned>(next.code));
            }
        } else {
            out.append(text.substr(0, next.length));
        }
        text.remove_prefix(next.length);
    }
}

std::string markdown_safe(std::string_view text) {
    std::string out;
    const std::string line = terminal_safe(text, false);
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        switch (c) {
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '&':
                out += "&amp;";
                break;
            case '@':  // GitHub mentions people and mails
                out += "&#64;";
                break;
            case ':':  // and links bare URLs
                out += line.compare(i, 3, "://") == 0 ? "&#58;" : ":";
                break;
            case '.':
                out += i >= 3 && (line.compare(i - 3, 3, "www") == 0 || line.compare(i - 3, 3, "WWW") == 0) ? "&#46;" : ".";
                break;
            case '-':  // at the begin of a line: a list, a heading's underline
            case '+':
            case '=':
                out += i == 0 ? "\\" : "";
                out += c;
                break;
            case '\\':
            case '|':
            case '`':
            case '*':
            case '_':
            case '[':
            case ']':
            case '#':
            case '~':
            case '!':
            case '$':
                out += '\\';
                out += c;
                break;
            default:
                out += c;
        }
    }
    return out;
}

std::size_t display_width(std::string_view text) {
    std::size_t columns = 0;
    while (!text.empty()) {
        const Decoded next = decode(text);
        columns += next.valid ? columns_of(next.code) : 1;
        text.remove_prefix(next.length);
    }
    return columns;
}

std::string cut(std::string_view text, std::size_t columns) {
    if (display_width(text) <= columns) {
        return std::string(text);
    }
    std::string out;
    std::size_t used = 0;
    while (!text.empty()) {
        const Decoded next = decode(text);
        const std::size_t wide = next.valid ? columns_of(next.code) : 1;
        if (used + wide + 1 > columns) {
            break;
        }
        out.append(text.substr(0, next.length));
        used += wide;
        text.remove_prefix(next.length);
    }
    return columns == 0 ? out : out + "…";
}

std::string pad_right(std::string_view text, std::size_t columns) {
    const std::size_t width = display_width(text);
    return std::string(text) + std::string(columns > width ? columns - width : 0, ' ');
}

std::string pad_left(std::string_view text, std::size_t columns) {
    const std::size_t width = display_width(text);
    return std::string(columns > width ? columns - width : 0, ' ') + std::string(text);
}

}  // namespace timesink::report
