/* avatar.c -- see avatar.h. A PNG with a palette of two colours, one bit a pixel, stored without
 * compression. */
#include "sandbox/avatar.h"

#include "base/array.h"

#define CELLS 5 /* in a row; the right half mirrors the left one */

struct png {
    struct buf *out;
    uint32_t    crc;
};

static void
put_be32(struct buf *b, uint32_t n)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        buf_append_char(b, (char)(n >> shift));
}

/* Bytes of a chunk: written, and counted into its checksum. */
static void
put(struct png *p, const void *bytes, size_t n)
{
    const uint8_t *at = bytes;

    buf_append(p->out, (struct str){ bytes, n });
    for (size_t i = 0; i < n; i++) {
        p->crc ^= at[i];
        for (int bit = 0; bit < 8; bit++)
            p->crc = p->crc >> 1 ^ (0xEDB88320U & (0U - (p->crc & 1)));
    }
}

static void
begin_chunk(struct png *p, size_t len, const char *name)
{
    put_be32(p->out, (uint32_t)len);
    p->crc = 0xFFFFFFFFU;
    put(p, name, 4);
}

static void
end_chunk(struct png *p)
{
    put_be32(p->out, ~p->crc);
}

static void
put_header(struct png *p, int side)
{
    const uint8_t header[13] = { 0, 0, (uint8_t)(side >> 8), (uint8_t)side, 0, 0, (uint8_t)(side >> 8), (uint8_t)side,
        1 /* bit */, 3 /* by palette */, 0, 0, 0 };

    buf_append(p->out, STR("\x89PNG\r\n\x1A\n"));
    begin_chunk(p, sizeof(header), "IHDR");
    put(p, header, sizeof(header));
    end_chunk(p);
}

static void
put_palette(struct png *p, uint64_t hash)
{
    static const uint8_t colours[][3] = {
        { 225, 112, 85 }, { 0, 148, 133 }, { 64, 115, 158 }, { 142, 68, 173 }, { 211, 84, 0 }, { 39, 120, 70 },
        { 181, 52, 113 }, { 87, 96, 111 },
    };
    const uint8_t *c = colours[hash % COUNT(colours)];
    const uint8_t  palette[6] = { 240, 240, 238, c[0], c[1], c[2] };

    begin_chunk(p, sizeof(palette), "PLTE");
    put(p, palette, sizeof(palette));
    end_chunk(p);
}

static void
draw_row(uint8_t *row, int y, int side, uint64_t hash)
{
    int cell_y = y * CELLS / side;

    for (int x = 0; x < side; x++) {
        int cell_x = x * CELLS / side;
        int half = cell_x <= CELLS / 2 ? cell_x : CELLS - 1 - cell_x;

        if (hash >> (cell_y * 3 + half + 8) & 1)
            row[x / 8] |= (uint8_t)(0x80 >> x % 8);
    }
}

/* Each row is a stored block of its own, with the byte that says "unfiltered" in front. */
static void
put_rows(struct png *p, int side, uint64_t hash)
{
    size_t   len = (size_t)(side + 7) / 8 + 1;
    uint8_t  row[129], head[5];
    uint32_t adler[2] = { 1, 0 };

    begin_chunk(p, 2 + (size_t)side * (5 + len) + 4, "IDAT");
    put(p, "\x78\x01", 2);
    for (int y = 0; y < side; y++) {
        memset(row, 0, sizeof(row));
        draw_row(row + 1, y, side, hash);
        head[0] = y == side - 1;
        head[1] = (uint8_t)len;
        head[2] = (uint8_t)(len >> 8);
        head[3] = (uint8_t)~head[1];
        head[4] = (uint8_t)~head[2];
        put(p, head, sizeof(head));
        put(p, row, len);
        for (size_t i = 0; i < len; i++) {
            adler[0] = (adler[0] + row[i]) % 65521;
            adler[1] = (adler[1] + adler[0]) % 65521;
        }
    }
    put(p, (uint8_t[4]){ (uint8_t)(adler[1] >> 8), (uint8_t)adler[1], (uint8_t)(adler[0] >> 8), (uint8_t)adler[0] }, 4);
    end_chunk(p);
}

void
avatar_draw(int64_t person, int side, struct buf *out)
{
    struct png p = { .out = out };
    uint64_t   hash = (uint64_t)person * 0x9E3779B97F4A7C15U;

    hash ^= hash >> 29;
    hash *= 0xBF58476D1CE4E5B9U;
    hash ^= hash >> 32;
    side = side < 8 ? 8 : side > 1000 ? 1000 : side;
    put_header(&p, side);
    put_palette(&p, hash);
    put_rows(&p, side, hash);
    begin_chunk(&p, 0, "IEND");
    end_chunk(&p);
}
