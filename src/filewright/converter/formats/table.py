"""Every format Filewright has a word for: a table for each family, with a line for each format.

A line is `id | name | extensions | media types | text?`. The id is the usual extension and is what the API, the command
line and engines say. The first extension is the one products get; the first media type is the one they are served with.
"""

from __future__ import annotations

from collections.abc import Mapping

_OOXML = "application/vnd.openxmlformats-officedocument"
_ODF = "application/vnd.oasis.opendocument"

TABLES: Mapping[str, str] = {
    "document": f"""
    docx | Word document                | docx      | {_OOXML}.wordprocessingml.document
    docm | Word document with macros    | docm      | application/vnd.ms-word.document.macroEnabled.12
    dotx | Word template                | dotx      | {_OOXML}.wordprocessingml.template
    doc  | Word 97-2003 document        | doc dot   | application/msword
    odt  | OpenDocument text            | odt       | {_ODF}.text
    ott  | OpenDocument text template   | ott       | {_ODF}.text-template
    fodt | Flat OpenDocument text       | fodt      | {_ODF}.text-flat-xml | text
    rtf  | Rich Text Format             | rtf       | application/rtf text/rtf | text
    wps  | Microsoft Works document     | wps       | application/vnd.ms-works
    wpd  | WordPerfect document         | wpd       | application/vnd.wordperfect
    vsdx | Visio drawing                | vsdx      | application/vnd.ms-visio.drawing.main+xml
    vsd  | Visio 2003 drawing           | vsd       | application/vnd.visio
    pub  | Publisher document           | pub       | application/x-mspublisher
    """,
    "sheet": f"""
    xlsx | Excel workbook               | xlsx      | {_OOXML}.spreadsheetml.sheet
    xlsm | Excel workbook with macros   | xlsm      | application/vnd.ms-excel.sheet.macroEnabled.12
    xlsb | Excel binary workbook        | xlsb      | application/vnd.ms-excel.sheet.binary.macroEnabled.12
    xltx | Excel template               | xltx      | {_OOXML}.spreadsheetml.template
    xls  | Excel 97-2003 workbook       | xls xlt   | application/vnd.ms-excel
    ods  | OpenDocument spreadsheet     | ods       | {_ODF}.spreadsheet
    fods | Flat OpenDocument spreadsheet | fods     | {_ODF}.spreadsheet-flat-xml | text
    """,
    "slides": f"""
    pptx | PowerPoint presentation      | pptx      | {_OOXML}.presentationml.presentation
    pptm | PowerPoint with macros       | pptm      | application/vnd.ms-powerpoint.presentation.macroEnabled.12
    ppsx | PowerPoint show              | ppsx      | {_OOXML}.presentationml.slideshow
    potx | PowerPoint template          | potx      | {_OOXML}.presentationml.template
    ppt  | PowerPoint 97-2003           | ppt pps pot | application/vnd.ms-powerpoint
    odp  | OpenDocument presentation    | odp       | {_ODF}.presentation
    fodp | Flat OpenDocument presentation | fodp    | {_ODF}.presentation-flat-xml | text
    odg  | OpenDocument drawing         | odg       | {_ODF}.graphics
    """,
    "markup": """
    html  | Web page                    | html htm xhtml | text/html application/xhtml+xml | text
    mhtml | Web page archive            | mhtml mht | multipart/related | text
    md    | Markdown                    | md markdown mkd | text/markdown | text
    txt   | Plain text                  | txt text log | text/plain | text
    rst   | reStructuredText            | rst       | text/x-rst | text
    adoc  | AsciiDoc                    | adoc asciidoc | text/asciidoc | text
    org   | Emacs Org                   | org       | text/org text/x-org | text
    tex   | LaTeX                       | tex latex ltx | text/x-tex application/x-tex application/x-latex | text
    typ   | Typst                       | typ       | text/vnd.typst | text
    textile | Textile                   | textile   | text/x-textile | text
    mediawiki | MediaWiki markup        | mediawiki wiki | text/x-wiki | text
    docbook | DocBook                   | docbook dbk | application/docbook+xml | text
    jats  | JATS XML                    | jats      | application/jats+xml | text
    ipynb | Jupyter notebook            | ipynb     | application/x-ipynb+json | text
    opml  | OPML outline                | opml      | text/x-opml | text
    man   | Manual page                 | man 1     | text/troff | text
    rss   | Feed                        | rss atom  | application/rss+xml application/atom+xml | text
    """,
    "pdf": """
    pdf  | PDF document | pdf | application/pdf
    ps   | PostScript | ps | application/postscript | text
    """,
    "ebook": """
    epub | EPUB book                    | epub      | application/epub+zip
    fb2  | FictionBook                  | fb2       | application/x-fictionbook+xml | text
    mobi | Mobipocket book              | mobi prc  | application/x-mobipocket-ebook
    azw3 | Kindle book                  | azw3 azw  | application/vnd.amazon.mobi8-ebook
    """,
    "image": """
    jpg  | JPEG image                   | jpg jpeg jpe jfif | image/jpeg
    png  | PNG image                    | png apng  | image/png image/apng
    webp | WebP image                   | webp      | image/webp
    gif  | GIF image                    | gif       | image/gif
    avif | AVIF image                   | avif avifs | image/avif
    heic | HEIC photo                   | heic heif hif | image/heic image/heif
    tiff | TIFF image                   | tiff tif  | image/tiff
    bmp  | Bitmap                       | bmp dib   | image/bmp image/x-ms-bmp
    ico  | Windows icon                 | ico cur   | image/vnd.microsoft.icon image/x-icon
    icns | Apple icon                   | icns      | image/icns
    jp2  | JPEG 2000                    | jp2 j2k jpx jpf | image/jp2 image/jpx
    jxl  | JPEG XL                      | jxl       | image/jxl
    psd  | Photoshop document           | psd psb   | image/vnd.adobe.photoshop
    exr  | OpenEXR                      | exr       | image/x-exr
    hdr  | Radiance HDR                 | hdr       | image/vnd.radiance
    tga  | Targa                        | tga       | image/x-tga
    pcx  | PCX                          | pcx       | image/vnd.zbrush.pcx image/x-pcx
    dds  | DirectDraw surface           | dds       | image/vnd-ms.dds
    ppm  | Portable pixmap              | ppm pgm pbm pnm | image/x-portable-pixmap image/x-portable-anymap
    qoi  | Quite OK image               | qoi       | image/qoi
    svg  | SVG drawing                  | svg svgz  | image/svg+xml | text
    eps  | Encapsulated PostScript      | eps       | application/eps image/x-eps | text
    emf  | Enhanced metafile            | emf       | image/emf
    wmf  | Windows metafile             | wmf       | image/wmf
    """,
    "audio": """
    mp3  | MP3 audio                    | mp3       | audio/mpeg
    wav  | WAV audio                    | wav       | audio/wav audio/x-wav audio/vnd.wave
    flac | FLAC audio                   | flac      | audio/flac
    m4a  | MPEG-4 audio                 | m4a m4b   | audio/mp4 audio/x-m4a
    aac  | AAC audio                    | aac       | audio/aac
    ogg  | Ogg Vorbis audio             | ogg oga   | audio/ogg
    opus | Opus audio                   | opus      | audio/opus
    aiff | AIFF audio                   | aiff aif aifc | audio/aiff audio/x-aiff
    amr  | AMR audio                    | amr       | audio/amr
    wma  | Windows Media audio          | wma       | audio/x-ms-wma
    ac3  | Dolby AC-3 audio             | ac3       | audio/ac3
    au   | Sun audio                    | au snd    | audio/basic
    caf  | Core Audio                   | caf       | audio/x-caf
    ape  | Monkey's Audio               | ape       | audio/x-ape
    wv   | WavPack                      | wv        | audio/x-wavpack
    mka  | Matroska audio               | mka       | audio/x-matroska
    """,
    "video": """
    mp4  | MPEG-4 video                 | mp4 m4v   | video/mp4
    mkv  | Matroska video               | mkv       | video/x-matroska video/matroska
    webm | WebM video                   | webm      | video/webm
    mov  | QuickTime video              | mov qt    | video/quicktime
    avi  | AVI video                    | avi       | video/x-msvideo video/vnd.avi
    wmv  | Windows Media video          | wmv asf   | video/x-ms-wmv video/x-ms-asf
    flv  | Flash video                  | flv       | video/x-flv
    mpg  | MPEG video                   | mpg mpeg mpe vob | video/mpeg
    ts   | MPEG transport stream        | ts m2ts mts | video/mp2t
    3gp  | 3GPP video                   | 3gp       | video/3gpp
    3g2  | 3GPP2 video                  | 3g2       | video/3gpp2
    ogv  | Ogg video                    | ogv       | video/ogg
    y4m  | YUV4MPEG                     | y4m       | video/x-yuv4mpeg
    """,
    "subtitle": """
    srt  | SubRip subtitles             | srt       | application/x-subrip | text
    vtt  | WebVTT subtitles             | vtt       | text/vtt | text
    ass  | Advanced SubStation subtitles | ass      | text/x-ass | text
    ssa  | SubStation Alpha subtitles   | ssa       | text/x-ssa | text
    ttml | Timed text                   | ttml dfxp | application/ttml+xml | text
    scc  | Scenarist captions           | scc       | text/x-scc | text
    sub  | MicroDVD subtitles           | sub       | text/x-microdvd | text
    smi  | SAMI subtitles               | smi sami  | application/x-sami | text
    ebu-stl | EBU STL subtitles         | stl       | application/x-ebu-stl
    """,
    "data": """
    csv  | Comma-separated values       | csv       | text/csv | text
    tsv  | Tab-separated values         | tsv tab   | text/tab-separated-values | text
    json | JSON                         | json      | application/json | text
    ndjson | Newline-delimited JSON     | ndjson jsonl | application/x-ndjson application/jsonl | text
    yaml | YAML                         | yaml yml  | application/yaml text/yaml | text
    toml | TOML                         | toml      | application/toml | text
    xml  | XML                          | xml       | application/xml text/xml | text
    parquet | Parquet                   | parquet pq | application/vnd.apache.parquet
    arrow | Arrow IPC / Feather         | arrow feather ipc | application/vnd.apache.arrow.file
    avro | Avro                         | avro      | application/vnd.apache.avro
    sqlite | SQLite database            | sqlite db sqlite3 | application/vnd.sqlite3
    dbf  | dBASE table                  | dbf       | application/vnd.dbf application/dbase
    sas7bdat | SAS table                | sas7bdat  | application/x-sas-data
    sav  | SPSS table                   | sav zsav  | application/x-spss-sav
    dta  | Stata table                  | dta       | application/x-stata-dta
    ics  | Calendar                     | ics ical  | text/calendar | text
    vcf  | Contacts (vCard)             | vcf       | text/vcard | text
    """,
    "archive": """
    zip  | ZIP archive                  | zip       | application/zip
    7z   | 7-Zip archive                | 7z        | application/x-7z-compressed
    tar  | Tar archive                  | tar       | application/x-tar
    tar.gz | Gzipped tar                | tar.gz tgz | application/gzip
    tar.bz2 | Bzipped tar               | tar.bz2 tbz2 tbz | application/x-bzip2
    tar.xz | XZ tar                     | tar.xz txz | application/x-xz
    tar.zst | Zstandard tar             | tar.zst tzst | application/zstd
    tar.z | Compressed tar              | tar.Z taz | application/x-compress
    gz   | Gzip file                    | gz        | application/gzip
    bz2  | Bzip2 file                   | bz2       | application/x-bzip2
    xz   | XZ file                      | xz        | application/x-xz
    zst  | Zstandard file               | zst       | application/zstd
    z    | Compress file                | Z         | application/x-compress
    rar  | RAR archive                  | rar       | application/vnd.rar application/x-rar-compressed
    """,
    "email": """
    eml  | E-mail message               | eml       | message/rfc822 | text
    mbox | Mailbox                      | mbox      | application/mbox | text
    msg  | Outlook message              | msg       | application/vnd.ms-outlook
    tnef | Outlook winmail.dat          | dat tnef  | application/vnd.ms-tnef
    """,
    "font": """
    ttf  | TrueType font                | ttf       | font/ttf
    otf  | OpenType font                | otf       | font/otf
    woff | Web font                     | woff      | font/woff
    woff2 | Web font 2                  | woff2     | font/woff2
    """,
    "geo": """
    geojson | GeoJSON                   | geojson   | application/geo+json | text
    topojson | TopoJSON                 | topojson  | application/topo+json | text
    kml  | Keyhole markup               | kml       | application/vnd.google-earth.kml+xml | text
    kmz  | Zipped KML                   | kmz       | application/vnd.google-earth.kmz
    gpkg | GeoPackage                   | gpkg      | application/geopackage+sqlite3
    shp.zip | Shapefile (zipped)        | shp.zip shz | application/x-shapefile+zip
    gpx  | GPS track                    | gpx       | application/gpx+xml | text
    gml  | Geography markup             | gml       | application/gml+xml | text
    fgb  | FlatGeobuf                   | fgb       | application/flatgeobuf
    geoparquet | GeoParquet             | geoparquet parquet | application/x-geoparquet
    """,
    "cad": """
    stl  | STL mesh                     | stl       | model/stl
    obj  | Wavefront mesh               | obj       | model/obj | text
    ply  | PLY mesh                     | ply       | model/ply
    glb  | glTF binary                  | glb       | model/gltf-binary
    gltf | glTF                         | gltf      | model/gltf+json | text
    3mf  | 3MF model                    | 3mf       | model/3mf
    off  | OFF mesh                     | off       | model/x-off | text
    dxf  | AutoCAD exchange             | dxf       | image/vnd.dxf | text
    """,
}
