$ErrorActionPreference='Stop';$ProgressPreference='SilentlyContinue'
# Frames ready made: in ConstrainedLanguage nothing can be computed.
if($ExecutionContext.SessionState.LanguageMode -ne 'FullLanguage'){
'#IMMY 00000000000000000000000000000000 108 ae448f82828f4acc31267e83de48cb6999a717575898477654728558b3999646 H4sIAAAAAAACAw3IQQqAQAgF0LP0152gy4SlDYI44Ogqunu+5XuhjAPbVc4m2LGSslbXQ2rCPRIxo+OevjJIXfg08lE0BN8PCp7RuEEAAAA='
exit 0}
$p=$null
try{
$m=New-Object IO.MemoryStream
$s=[Console]::OpenStandardInput()
$s.CopyTo($m)
$t=[Text.Encoding]::ASCII.GetString($m.ToArray())
$l=$t.Substring($t.IndexOf('IMMY1 ')) -split "`n"
$h=$l[0].Trim() -split ' '
$b=$l[1].Trim()
if($b.Length -eq [int]$h[1]){
$m=New-Object IO.MemoryStream
$z=New-Object IO.Compression.GZipStream((New-Object IO.MemoryStream(,[Convert]::FromBase64String($b))),[IO.Compression.CompressionMode]::Decompress)
$z.CopyTo($m)
$d=$m.ToArray()
# The managed SHA256 refuses to work where FIPS is enforced; this one does not.
$x=New-Object Security.Cryptography.SHA256CryptoServiceProvider
if([BitConverter]::ToString($x.ComputeHash($d)).Replace('-','').ToLower() -eq $h[2]){$p=[Text.Encoding]::UTF8.GetString($d) -split "`n"}
}
}catch{[Console]::Error.WriteLine($_.Exception.Message)}
if(!$p){
'#IMMY 00000000000000000000000000000000 104 7e8d955b85806a377fc11bcd527300ee80407c03a650f007a2c327d94dfc3301 H4sIAAAAAAACA6tWykxRslJSTCrNS8lJVdJRKi5JLCktBgqlJWbmpKYARVKLivKLgAIpibmJ6akp8UWphaWpxSVKtQAoSa+2PAAAAA=='
exit 0}
& ([scriptblock]::Create([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($p[1])))) $p
