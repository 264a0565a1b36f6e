#include "live/libraries.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "live/elf_image.hpp"
#include "runtime/boringssl.hpp"
#include "runtime/gnutls.hpp"
#include "runtime/openssl.hpp"
#include "timesink/abi/attach.h"

namespace timesink::live {

namespace {

struct Watched {
    LibraryKind kind;
    std::string_view symbol;
    const char* program;
};

constexpr const char* kReadDone = "on_tls_read_done";
constexpr const char* kReadWide = "on_tls_read_ex";

/// Returns first: what is entered before its return is watched is not told, and so never told wrongly.
constexpr std::array kWatched{
    Watched{LibraryKind::tls, "SSL_read", kReadDone},
    Watched{LibraryKind::tls, "SSL_read_ex", kReadDone},
    Watched{LibraryKind::tls, "SSL_read", "on_tls_read"},
    Watched{LibraryKind::tls, "SSL_read_ex", kReadWide},
    Watched{LibraryKind::tls, "SSL_write", "on_tls_write"},
    Watched{LibraryKind::tls, "SSL_write_ex", "on_tls_write_ex"},
    // What they take and give is as of SSL_write_ex() and SSL_read(). Not the forms that give a packet, or its number.
    Watched{LibraryKind::tls, "gnutls_record_recv", kReadDone},
    Watched{LibraryKind::tls, "gnutls_record_recv", "on_tls_read"},
    Watched{LibraryKind::tls, "gnutls_record_send", "on_tls_write_ex"},
    // Not the UTF-16 forms, which hardly anyone uses, nor sqlite3_prepare(), whose statements are prepared again unseen.
    Watched{LibraryKind::sqlite, "sqlite3_open", "on_sqlite_open_done"},
    Watched{LibraryKind::sqlite, "sqlite3_open_v2", "on_sqlite_open_done"},
    Watched{LibraryKind::sqlite, "sqlite3_open", "on_sqlite_open"},
    Watched{LibraryKind::sqlite, "sqlite3_open_v2", "on_sqlite_open"},
    Watched{LibraryKind::sqlite, "sqlite3_finalize", "on_sqlite_finalize"},
    Watched{LibraryKind::sqlite, "sqlite3_reset", "on_sqlite_reset"},
    Watched{LibraryKind::sqlite, "sqlite3_prepare_v2", "on_sqlite_prepare_done"},
    Watched{LibraryKind::sqlite, "sqlite3_prepare_v3", "on_sqlite_prepare_done"},
    Watched{LibraryKind::sqlite, "sqlite3_prepare_v2", "on_sqlite_prepare"},
    Watched{LibraryKind::sqlite, "sqlite3_prepare_v3", "on_sqlite_prepare_v3"},
    Watched{LibraryKind::sqlite, "sqlite3_step", "on_sqlite_step_done"},
    Watched{LibraryKind::sqlite, "sqlite3_step", "on_sqlite_step"},
};
constexpr std::string_view kRandom = "SSL_get_client_random";
constexpr std::string_view kGnutlsRandom = "gnutls_session_get_random";
constexpr std::size_t kMostFiles = 16384;

std::uint64_t cookie_of(const ElfImage& image) {
    const auto place = runtime::client_random_place(image.symbol_bytes(kRandom));
    if (place) {
        return TS_TLS_RANDOM_KNOWN | std::uint64_t{place->through} << 16 | place->offset;
    }
    if (const auto boring = runtime::boringssl_random_place(image.symbol_bytes(kRandom))) {
        return TS_TLS_RANDOM_KNOWN | std::uint64_t{boring->through} << 16 | boring->offset;
    }
    const auto gnutls = runtime::gnutls_random_place(image.symbol_bytes(kGnutlsRandom));
    return gnutls ? TS_TLS_RANDOM_KNOWN | *gnutls : 0;
}

/// Both ways to read lead to one function of OpenSSL, which takes what SSL_read_ex() does. It is probed in their place where that
/// costs less: Debian's SSL_read_ex() has nothing ahead of the call that the kernel can do by itself and a return probe can use.
void read_further_in(Library& library) {
    const auto function_of = [&](std::string_view program) {
        const auto found = std::find_if(library.probes.begin(), library.probes.end(),
                                        [&](const auto& probe) { return probe.second == program; });
        return found == library.probes.end() ? std::nullopt : std::optional(found->first);
    };
    const auto read = function_of("on_tls_read");
    const auto wide = function_of(kReadWide);
    if (!read || !wide) {
        return;
    }
    const auto wide_code = code_of(*wide);
    const auto by_read = runtime::first_callee(code_of(*read));
    const auto by_wide = runtime::first_callee(wide_code);
    MappedFunction inner = *wide;
    inner.offset += static_cast<std::uint64_t>(by_wide ? by_wide->offset : 0);
    const bool is_one = by_read && by_wide && by_wide->same_arguments &&
                        inner.offset == read->offset + static_cast<std::uint64_t>(by_read->offset);
    const auto is_cheap = [](std::span<const std::byte> code) {
        return runtime::cheap_place(code, runtime::Convention::system_v, true).has_value();
    };
    if (!is_one || is_cheap(wide_code) || !is_cheap(code_of(inner))) {
        return;
    }
    std::erase_if(library.probes, [&](const auto& probe) { return probe.first == *read || probe.first == *wide; });
    library.probes.insert(library.probes.begin(), {{inner, kReadDone}, {inner, kReadWide}});
}

}  // namespace

const std::optional<LibraryFinder::Symbols>& LibraryFinder::symbols_of(const std::string& file, const std::string& path) {
    if (const auto known = files_.find(file); known != files_.end()) {
        return known->second;
    }
    if (files_.size() >= kMostFiles) {
        files_.clear();
    }
    std::optional<Symbols>& made = files_[file];
    const auto image = ElfImage::open(path);
    if (!image) {
        return made;
    }
    std::array<std::string_view, kWatched.size()> names;
    std::transform(kWatched.begin(), kWatched.end(), names.begin(), [](const Watched& watched) { return watched.symbol; });
    // Some names stand twice; the image fills in the first.
    Symbols symbols{.addresses = image->addresses(names)};
    bool encrypts = false;
    bool any = false;
    for (std::size_t i = 0; i < names.size(); i++) {
        const auto first = static_cast<std::size_t>(std::find(names.begin(), names.end(), names[i]) - names.begin());
        symbols.addresses[i] = symbols.addresses[first];
        any = any || symbols.addresses[i] != 0;
        encrypts = encrypts || (symbols.addresses[i] != 0 && kWatched[i].kind == LibraryKind::tls);
    }
    if (any) {
        symbols.cookie = encrypts ? cookie_of(*image) : 0;
        made = std::move(symbols);
    }
    return made;
}

std::vector<Library> LibraryFinder::find(std::uint32_t local_pid, std::set<std::string>& seen) {
    std::vector<Library> found;
    const auto mappings = mappings_of(local_pid);
    for (const Mapping& mapping : mappings) {
        if (!seen.insert(mapping.file).second) {
            continue;  // the first mapping of each file is its lowest
        }
        const std::string path = path_of(local_pid, mapping);
        const auto& symbols = symbols_of(mapping.file, path);
        if (!symbols) {
            continue;
        }
        const auto image = ElfImage::open(path);
        const auto linked = image ? image->address_of(mapping.offset) : std::nullopt;
        if (!linked) {
            continue;
        }
        std::array<Library, kLibraryKinds> libraries;  // one file may have several
        for (std::size_t i = 0; i < kWatched.size(); i++) {
            const std::uint64_t address = symbols->addresses[i];
            const auto function =
                address != 0 ? function_at(local_pid, mappings, address - *linked + mapping.begin) : std::nullopt;
            if (function) {
                libraries[static_cast<std::size_t>(kWatched[i].kind)].probes.emplace_back(*function, kWatched[i].program);
            }
        }
        for (std::size_t kind = 0; kind < libraries.size(); kind++) {
            Library& library = libraries[kind];
            library.kind = static_cast<LibraryKind>(kind);
            library.path = mapping.path;
            library.cookie = library.kind == LibraryKind::tls ? symbols->cookie : 0;
            read_further_in(library);
            if (!library.probes.empty()) {
                found.push_back(std::move(library));
            }
        }
    }
    return found;
}

}  // namespace timesink::live
