#include "redact/masks.hpp"

#include <algorithm>
#include <array>

#include "base/ascii.hpp"
#include "proto/http1/fields.hpp"
#include "request/route.hpp"

namespace timesink::redact {
namespace {

std::string_view kind_of_letter(char c) {
    // Two sets, as hexadecimal numbers are told by theirs; without the letters that ULIDs leave out.
    return (c >= 'a' && c <= 'f')   ? "abcdef"
           : (c >= 'A' && c <= 'F') ? "ABCDEF"
           : is_lower(c)            ? "ghjkmnpqrstvwxyz"
           : is_upper(c)            ? "GHJKMNPQRSTVWXYZ"
           : is_digit(c)            ? "01234567"  // a ULID begins with none higher
                                    : std::string_view();
}

enum class Numbers : std::uint8_t { stay, masked };

/// Too short for the number of a telephone or a card, or a secret.
bool is_short_number(std::string_view segment, std::string_view fold) {
    constexpr std::ptrdiff_t kMostDigits = 9;
    return fold == "{date}" || (fold == "{id}" && std::count_if(segment.begin(), segment.end(), is_digit) <= kMostDigits);
}

/// A segment that stands for an id becomes another that is folded as it is; others are names and stay.
std::string masked_segment(std::string_view segment, Numbers numbers, const Secret& secret) {
    const std::string_view fold = segment.empty() ? std::string_view{} : request::fold_segment(segment);
    if (fold.empty() || (numbers == Numbers::stay && is_short_number(segment, fold))) {
        return std::string(segment);
    }
    const std::string form(fold);  // the view may be into the segment
    std::string other = pseudonym(segment, secret);
    if (const std::size_t at = segment.find("%40"); at != std::string_view::npos) {
        other.replace(at, 3, "%40");
    }
    const std::size_t dot = std::min(segment.rfind('.'), segment.size());
    const std::string named = other.substr(0, dot) + std::string(segment.substr(dot));  // "4711.png"
    return request::fold_segment(other) == form   ? other
           : request::fold_segment(named) == form ? named
                                                  : std::string(segment.size(), '0');
}

std::string masked_path(std::string_view path, const Secret& secret) {
    std::string out;
    while (true) {
        const std::size_t slash = std::min(path.find('/'), path.size());
        const std::string_view segment = path.substr(0, slash);
        const std::size_t parameters = std::min(segment.find(';'), segment.size());
        out += masked_segment(segment.substr(0, parameters), Numbers::stay, secret);
        bool value = false;
        for (const char c : segment.substr(parameters)) {  // ";jsessionid=…"
            out.push_back(c == ';' || !value ? c : kMask);
            value = c != ';' && (value || c == '=');
        }
        if (slash == path.size()) {
            return out;
        }
        out.push_back('/');
        path.remove_prefix(slash + 1);
    }
}

/// Parts of buckets and objects that S3 names so, without a value: they say what is asked for.
bool is_aspect(std::string_view name) {
    constexpr std::array<std::string_view, 31> kAspects = {"accelerate",
                                                           "acl",
                                                           "analytics",
                                                           "attributes",
                                                           "cors",
                                                           "delete",
                                                           "encryption",
                                                           "inventory",
                                                           "legal-hold",
                                                           "lifecycle",
                                                           "location",
                                                           "logging",
                                                           "metrics",
                                                           "notification",
                                                           "object-lock",
                                                           "ownershipControls",
                                                           "policy",
                                                           "policyStatus",
                                                           "publicAccessBlock",
                                                           "replication",
                                                           "requestPayment",
                                                           "restore",
                                                           "retention",
                                                           "select",
                                                           "session",
                                                           "tagging",
                                                           "torrent",
                                                           "uploads",
                                                           "versioning",
                                                           "versions",
                                                           "website"};
    return std::find(kAspects.begin(), kAspects.end(), name) != kAspects.end();
}

/// Of "KEY/20261121/us-east-1/s3/aws4_request" the last two parts, which say for which API it is.
std::size_t scope_begin(std::string_view credential) {
    constexpr std::string_view kEnd = "aws4_request";
    if (!credential.ends_with(kEnd)) {
        return credential.size();
    }
    std::size_t at = credential.size() - kEnd.size();
    for (int part = 0; part < 2; ++part) {
        const std::size_t plain = credential.substr(0, at).rfind('/');
        std::size_t escaped = credential.substr(0, at).rfind("%2F");
        escaped = escaped == std::string_view::npos ? credential.substr(0, at).rfind("%2f") : escaped;
        at = plain == std::string_view::npos ? escaped : escaped == std::string_view::npos ? plain : std::max(plain, escaped);
        if (at == std::string_view::npos) {
            return credential.size();
        }
        if (part == 0 && credential.size() - at > 48) {
            return credential.size();
        }
    }
    constexpr std::size_t kLongestService = 32;
    return credential.size() - at <= kEnd.size() + kLongestService + 6 ? at : credential.size();
}

std::string masked_parameter(std::string_view name, std::string_view value, const Secret& secret) {
    constexpr std::size_t kLongestNumber = 5;  // of a part: 10,000 at most
    if (name == "uploadId") {
        return pseudonym(value, secret);
    }
    if (name == "partNumber" && value.size() <= kLongestNumber && std::all_of(value.begin(), value.end(), is_digit)) {
        return std::string(value);
    }
    const std::size_t shown = name == "X-Amz-Credential" ? scope_begin(value) : value.size();
    return std::string(shown, kMask).append(value.substr(shown));
}

/// Names stay, values do not; what has no name is a value, unless it is known not to be.
std::string masked_query(std::string_view query, const Secret& secret) {
    std::string out;
    while (true) {
        const std::size_t end = std::min(query.find_first_of("&;"), query.size());
        const std::string_view pair = query.substr(0, end);
        const std::size_t sign = pair.find('=');
        if (sign != std::string_view::npos) {
            out.append(pair.substr(0, sign + 1)).append(masked_parameter(pair.substr(0, sign), pair.substr(sign + 1), secret));
        } else if (is_aspect(pair)) {
            out.append(pair);
        } else {
            out.append(pair.size(), kMask);
        }
        if (end == query.size()) {
            return out;
        }
        out.push_back(query[end]);
        query.remove_prefix(end + 1);
    }
}

std::string masked_url(std::string_view target, const Secret& secret) {
    std::string out;
    const std::size_t scheme = target.starts_with('/') ? std::string_view::npos : target.find("://");
    if (scheme != std::string_view::npos) {
        const std::size_t authority = scheme + 3;
        const std::size_t path = std::min(target.find_first_of("/?#", authority), target.size());
        const std::size_t user = target.substr(authority, path - authority).rfind('@');
        out.append(target.substr(0, authority));
        if (user != std::string_view::npos) {
            out.append(user, kMask);
        }
        out.append(target.substr(out.size(), path - out.size()));
        target.remove_prefix(path);
    }
    const std::size_t fragment = std::min(target.find('#'), target.size());
    const std::size_t query = std::min(target.find('?'), fragment);
    out += masked_path(target.substr(0, query), secret);
    if (query < fragment) {
        out.push_back('?');
        out += masked_query(target.substr(query + 1, fragment - query - 1), secret);
    }
    if (fragment < target.size()) {
        out.push_back('#');
        out.append(target.size() - fragment - 1, kMask);
    }
    return out;
}

/// Schemes of credentials (IANA, "HTTP Authentication Schemes", and what object storage signs with). What is not one of them may
/// be the secret itself.
bool is_scheme(std::string_view word) {
    constexpr std::array<std::string_view, 16> kSchemes = {"basic",
                                                           "bearer",
                                                           "digest",
                                                           "negotiate",
                                                           "ntlm",
                                                           "oauth",
                                                           "token",
                                                           "apikey",
                                                           "dpop",
                                                           "hoba",
                                                           "mutual",
                                                           "hawk",
                                                           "gnap",
                                                           "aws",
                                                           "aws4-hmac-sha256",
                                                           "aws4-ecdsa-p256-sha256"};
    return std::find(kSchemes.begin(), kSchemes.end(), lower(word)) != kSchemes.end();
}

/// Behind a scheme, of "Credential=KEY/20261121/us-east-1/s3/aws4_request, …" what says for which API it was signed.
void show_scope(std::string_view line, std::size_t begin, std::string& out) {
    constexpr std::string_view kName = "Credential=";
    const std::size_t name = line.find(kName, begin);
    if (name == std::string_view::npos) {
        return;
    }
    const std::size_t value = name + kName.size();
    const std::size_t end = std::min(line.find_first_of(", ", value), line.size());
    const std::size_t scope = value + scope_begin(line.substr(value, end - value));
    if (scope == end) {
        return;
    }
    const auto show = [&](std::size_t from, std::size_t to) { out.replace(from, to - from, line.substr(from, to - from)); };
    show(name, value);
    show(scope, std::min(end + 1, line.size()));
}

}  // namespace

std::string pseudonym(std::string_view text, const Secret& secret) {
    KeyedDigest digest(secret);
    for (const char c : text) {
        digest.add(c);
    }
    std::string out(text);
    for (char& c : out) {
        digest.add('.');
        const std::string_view letters = kind_of_letter(c);
        constexpr std::string_view kMarks = "-_.:,;@%+{}~=";
        const bool mark = kMarks.find(c) != std::string_view::npos;
        c = !letters.empty() ? letters[digest.value() % letters.size()] : mark ? c : kMask;
    }
    return out;
}

std::string masked_target(std::string_view line, const Secret& secret) {
    constexpr std::string_view kVersion = "HTTP/1.";
    if (line.starts_with("HTTP/")) {
        constexpr std::size_t kUpToStatus = kVersion.size() + 1 + 1 + 3;
        std::string out(line);
        const std::size_t reason = std::min(kUpToStatus + 1, out.size());
        std::fill(out.begin() + static_cast<std::ptrdiff_t>(reason), out.end(), kMask);
        return out;
    }
    std::string out;
    const bool bare = line.starts_with('/');  // HTTP/2
    const std::size_t method = bare ? 0 : std::min(line.find(' ') + 1, line.size());
    const std::size_t space = bare ? std::string_view::npos : line.rfind(' ');
    const bool version = space != std::string_view::npos && space >= method && line.substr(space + 1).starts_with(kVersion);
    const std::size_t end = version ? space : line.size();
    out.append(line.substr(0, method));
    out += masked_url(line.substr(method, end - method), secret);
    out.append(line.substr(end));
    return out;
}

std::string masked_field(std::string_view line) {
    constexpr std::string_view kBlanks = " \t\r";
    const std::size_t colon = line.find(':');
    const bool continues = !line.empty() && kBlanks.find(line.front()) != std::string_view::npos;
    const std::size_t name = continues ? 0 : colon == std::string_view::npos ? 0 : colon + 1;
    const std::size_t begin = std::min(line.find_first_not_of(kBlanks, name), line.size());
    const std::size_t last = line.find_last_not_of(kBlanks);
    const std::size_t end = last == std::string_view::npos || last < begin ? begin : last + 1;
    std::size_t shown = begin;
    if (name > 0) {
        using Read = proto::http1::Fields::Read;
        const Read read = proto::http1::Fields::read_of(line.substr(0, name - 1));
        const std::string_view value = line.substr(begin, end - begin);
        const std::size_t word = value.find(' ');
        if (read == Read::all) {
            shown = end;
        } else if (read == Read::first_word && word != std::string_view::npos && is_scheme(value.substr(0, word))) {
            shown = begin + word + 1;
        }
    }
    std::string out(line);
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(shown), out.begin() + static_cast<std::ptrdiff_t>(end), kMask);
    if (shown > begin && shown < end) {
        show_scope(line, shown, out);
    }
    return out;
}

std::string masked_key(std::string_view key, const Secret& secret) {
    constexpr std::size_t kMostParts = 12;  // of a shape (request::shape_of_redis)
    std::string out;
    for (std::size_t parts = 0;; ++parts) {
        const std::size_t end = std::min(key.find_first_of(":./|"), key.size());
        const std::string_view part = key.substr(0, end);
        const bool binary =
            std::any_of(part.begin(), part.end(), [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7f; });
        const bool tagged = part.size() > 2 && part.front() == '{' && part.back() == '}';
        if (parts >= kMostParts) {
            return out.append(key.size(), kMask);
        }
        if (part.find('@') != std::string_view::npos) {  // an address, whose dots part it
            for (const char c : part) {
                out.push_back(c == '@' ? c : kMask);
            }
        } else if (binary) {
            out.append(1, ' ').append(part.size() - 1, kMask);
        } else {
            out += tagged ? "{" + masked_segment(part.substr(1, part.size() - 2), Numbers::masked, secret) + "}"
                          : masked_segment(part, Numbers::masked, secret);
        }
        if (end == key.size()) {
            return out;
        }
        out.push_back(key[end]);
        key.remove_prefix(end + 1);
    }
}

std::string masked(std::string_view text, proto::Kept kind, const Secret& secret) {
    switch (kind) {
        case proto::Kept::statement:
            return masked_statement(text, false);
        case proto::Kept::mysql:
            return masked_statement(text, true);
        case proto::Kept::target:
            return masked_target(text, secret);
        case proto::Kept::field:
            return masked_field(text);
        case proto::Kept::key:
            return masked_key(text, secret);
        case proto::Kept::structure:
            break;
    }
    return std::string(text);
}

}  // namespace timesink::redact
