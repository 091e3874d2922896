//! What the app writes in place of what an export cannot hold, in the languages it is most used in.
//!
//! A placeholder in a language that is missing here stays an ordinary text: nothing is lost by it. Where a
//! placeholder has a form of its own (`<…>`, `IMG-20200101-WA0001.jpg (…)`), the form is looked at instead: see
//! [`super::classify`].

/// Whole messages that stand for something deleted.
pub(super) const DELETED: &[&str] = &[
    "This message was deleted", "You deleted this message", "Diese Nachricht wurde gelöscht",
    "Du hast diese Nachricht gelöscht", "Se eliminó este mensaje", "Este mensaje fue eliminado",
    "Eliminaste este mensaje", "Ce message a été supprimé", "Vous avez supprimé ce message",
    "Questo messaggio è stato eliminato", "Hai eliminato questo messaggio", "Mensagem apagada",
    "Esta mensagem foi apagada", "Você apagou esta mensagem", "Apagou esta mensagem",
    "Dit bericht is verwijderd", "Je hebt dit bericht verwijderd", "U hebt dit bericht verwijderd",
    "Данное сообщение удалено", "Сообщение удалено", "Вы удалили данное сообщение", "Це повідомлення було видалено",
    "Ta wiadomość została usunięta", "Usunięto tę wiadomość", "Bu mesaj silindi", "Bu mesajı sildiniz",
    "Pesan ini telah dihapus", "Pesan ini dihapus", "Anda menghapus pesan ini", "Tämä viesti poistettiin",
    "Poistit tämän viestin", "Det här meddelandet raderades", "Du raderade det här meddelandet",
    "Denne besked blev slettet", "Denne meldingen ble slettet", "यह संदेश मिटाया गया था", "आपने यह संदेश मिटाया",
    "تم حذف هذه الرسالة", "לקחת את ההודעה הזו בחזרה", "הודעה זו נמחקה", "此消息已删除", "您已删除此消息", "此訊息已刪除",
    "このメッセージは削除されました", "이 메시지는 삭제되었습니다", "삭제된 메시지입니다", "Tato zpráva byla odstraněna",
    "Ezt az üzenetet törölték", "Acest mesaj a fost șters",
];

/// How messages begin that stand for a call.
pub(super) const CALLS: &[&str] = &[
    "Missed voice call", "Missed video call", "Missed group voice call", "Missed group video call",
    "Voice call, ", "Video call, ", "Verpasster Sprachanruf", "Verpasster Videoanruf", "Sprachanruf, ", "Videoanruf, ",
    "Llamada perdida", "Videollamada perdida", "Llamada de voz perdida", "Appel vocal manqué", "Appel vidéo manqué",
    "Chiamata persa", "Chiamata vocale persa", "Videochiamata persa", "Chamada de voz perdida",
    "Chamada de vídeo perdida", "Ligação de voz perdida", "Ligação de vídeo perdida", "Gemiste spraakoproep",
    "Gemiste oproep", "Gemiste video-oproep", "Пропущенный аудиозвонок", "Пропущенный видеозвонок",
    "Nieodebrane połączenie", "Cevapsız sesli arama", "Cevapsız görüntülü arama", "Panggilan suara tak terjawab",
    "Panggilan video tak terjawab", "Vastaamaton äänipuhelu", "Vastaamaton videopuhelu", "Missat röstsamtal",
    "Missat videosamtal",
];

/// Whole messages of the iOS app in place of a file, and what the file was.
pub(super) const OMITTED: &[(&str, &str)] = &[
    ("image omitted", "image"), ("video omitted", "video"), ("audio omitted", "audio"), ("sticker omitted", "sticker"),
    ("GIF omitted", "animation"), ("document omitted", "document"), ("Contact card omitted", "contact"),
    ("video note omitted", "video"), ("Bild weggelassen", "image"), ("Video weggelassen", "video"),
    ("Audio weggelassen", "audio"), ("Sticker weggelassen", "sticker"), ("GIF weggelassen", "animation"),
    ("Dokument weggelassen", "document"), ("Kontaktkarte ausgelassen", "contact"), ("imagen omitida", "image"),
    ("Video omitido", "video"), ("audio omitido", "audio"), ("sticker omitido", "sticker"),
    ("GIF omitido", "animation"), ("documento omitido", "document"), ("Tarjeta de contacto omitida", "contact"),
    ("image absente", "image"), ("vidéo absente", "video"), ("audio omis", "audio"), ("sticker omis", "sticker"),
    ("GIF retiré", "animation"), ("document manquant", "document"), ("Fiche contact retirée", "contact"),
    ("immagine omessa", "image"), ("video omesso", "video"), ("audio omesso", "audio"), ("sticker non incluso", "sticker"),
    ("GIF esclusa", "animation"), ("documento omesso", "document"), ("imagem ocultada", "image"),
    ("vídeo omitido", "video"), ("áudio ocultado", "audio"), ("figurinha omitida", "sticker"),
    ("GIF omitido", "animation"), ("documento ocultado", "document"), ("imagem omitida", "image"),
    ("áudio omitido", "audio"), ("afbeelding weggelaten", "image"), ("video weggelaten", "video"),
    ("audio weggelaten", "audio"), ("sticker weggelaten", "sticker"), ("GIF weggelaten", "animation"),
    ("document weggelaten", "document"), ("изображение отсутствует", "image"), ("видео отсутствует", "video"),
    ("аудиофайл отсутствует", "audio"), ("стикер отсутствует", "sticker"), ("GIF отсутствует", "animation"),
    ("документ отсутствует", "document"), ("görüntü dahil edilmedi", "image"), ("video dahil edilmedi", "video"),
    ("ses dahil edilmedi", "audio"), ("Çıkartma dahil edilmedi", "sticker"), ("gambar tidak disertakan", "image"),
    ("video tidak disertakan", "video"), ("kuva jätetty pois", "image"), ("bild utelämnad", "image"),
    ("video utelämnad", "video"), ("已略过图片", "image"), ("图像已忽略", "image"), ("视频已忽略", "video"),
    ("音频已忽略", "audio"), ("画像は含まれていません", "image"), ("ビデオは含まれていません", "video"),
    ("이미지 제외됨", "image"), ("동영상 제외됨", "video"), ("התמונה הושמטה", "image"), ("تم استبعاد الصورة", "image"),
];

/// What Android writes behind the name of an attached file, in parentheses.
pub(super) const ATTACHED: &[&str] = &[
    "file attached", "Datei angehängt", "archivo adjunto", "fichier joint", "file allegato", "arquivo anexado",
    "ficheiro anexado", "bestand bijgevoegd", "файл добавлен", "файл прикреплён", "plik załączony",
    "załączono plik", "dosya ekli", "file terlampir", "liitetty tiedosto", "bifogad fil", "vedhæftet fil", "fil vedlagt",
    "फ़ाइल संलग्न है", "ملف مرفق", "קובץ מצורף", "文件附件", "附件檔案", "添付ファイル", "파일 첨부됨", "soubor byl přiložen",
];

/// What the app's notice about encryption holds, whatever else it says. On iOS it stands behind the chat's title,
/// as if the title had written it.
pub(super) const ENCRYPTION: &[&str] = &[
    "end-to-end", "Ende-zu-Ende", "extremo a extremo", "bout en bout", "ponta a ponta", "сквозным шифрованием",
    "od końca do końca", "uçtan uca", "päästä päähän", "端到端加密", "端對端加密", "エンドツーエンド", "종단간 암호화",
    "מקצה לקצה", "تمامًا بين الطرفين",
];
