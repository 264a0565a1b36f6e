#include "live/tls.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "live/elf_image.hpp"
#include "runtime/openssl.hpp"
#include "timesink/abi/attach.h"

namespace timesink::live {

namespace {

struct Watched {
    std::string_view symbol;
    const char* program;
};

/// Returns first: what is entered before its return is watched is not told, and so never told wrongly.
constexpr std::array kWatched{
    Watched{"SSL_read", "on_tls_read_done"}, Watched{"SSL_read_ex", "on_tls_read_done"},
    Watched{"SSL_read", "on_tls_read"},      Watched{"SSL_read_ex", "on_tls_read_ex"},
    Watched{"SSL_write", "on_tls_write"},    Watched{"SSL_write_ex", "on_tls_write_ex"},
};
constexpr std::string_view kRandom = "SSL_get_client_random";
constexpr std::size_t kMostFiles = 16384;

std::uint64_t cookie_of(const ElfImage& image) {
    const auto place = runtime::client_random_place(image.symbol_bytes(kRandom));
    return place ? TS_TLS_RANDOM_KNOWN | std::uint64_t{place->through} << 16 | place->offset : 0;
}

}  // namespace

const std::optional<TlsFinder::Symbols>& TlsFinder::symbols_of(const std::string& file, const std::string& path) {
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
    // One name stands twice; the image fills in the first.
    Symbols symbols{.addresses = image->addresses(names)};
    for (std::size_t i = 0; i < names.size(); i++) {
        const auto first = static_cast<std::size_t>(std::find(names.begin(), names.end(), names[i]) - names.begin());
        symbols.addresses[i] = symbols.addresses[first];
    }
    if (std::any_of(symbols.addresses.begin(), symbols.addresses.end(), [](std::uint64_t address) { return address != 0; })) {
        symbols.cookie = cookie_of(*image);
        made = std::move(symbols);
    }
    return made;
}

std::vector<TlsLibrary> TlsFinder::find(std::uint32_t local_pid, std::set<std::string>& seen) {
    std::vector<TlsLibrary> found;
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
        TlsLibrary library{.path = mapping.path, .cookie = symbols->cookie, .probes = {}};
        for (std::size_t i = 0; i < kWatched.size(); i++) {
            const std::uint64_t address = symbols->addresses[i];
            const auto function =
                address != 0 ? function_at(local_pid, mappings, address - *linked + mapping.begin) : std::nullopt;
            if (function) {
                library.probes.emplace_back(*function, kWatched[i].program);
            }
        }
        found.push_back(std::move(library));
    }
    return found;
}

}  // namespace timesink::live
