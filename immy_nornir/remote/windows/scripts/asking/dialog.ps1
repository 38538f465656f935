# Asks the person at this desktop, or tells how long there is until the reboot, and exits with the code of the answer: what the
# caller offered in $params.codes, or 102 when nobody answered until $params.seconds have passed. Runs in that person's own
# session, as a job; what it exits with is a claim of that person, and says nothing for anybody else.

$silent = 102
$watch = [Diagnostics.Stopwatch]::StartNew()
$seconds = [double]$params.seconds
$codes = @(([string]$params.codes -split ' ') | Where-Object { $_ } | ForEach-Object { [int]$_ })
$isCountdown = [string]$params.kind -eq 'countdown'

# The language of the person, not that of the system; English where the fleet has no text in it.
function Get-AskedCultures {
    [Globalization.CultureInfo]::CurrentUICulture.Name
    [Globalization.CultureInfo]::CurrentUICulture.TwoLetterISOLanguageName
}

function Get-AskedLanguage {
    $known = @([string]$params.languages -split ' ')
    foreach ($culture in Get-AskedCultures) {
        if ($known -contains $culture) { return $culture }
    }
    return $known[0]
}

function Get-AskedText([string]$name) { return [string]$params["${name}_$language"] }

function Get-AskedRest {
    $left = [TimeSpan]::FromSeconds([Math]::Max(0, [Math]::Ceiling($seconds - $watch.Elapsed.TotalSeconds)))
    return (Get-AskedText 'rest') -replace '%TIME%', ('{0}:{1:00}' -f [Math]::Floor($left.TotalMinutes), $left.Seconds)
}

function New-AskedButton([int]$code) {
    $button = New-Object Windows.Forms.Button
    $button.Text = Get-AskedText "answer_$code"
    $button.Tag = $code
    $button.AutoSize = $true
    $button.AutoSizeMode = 'GrowAndShrink'
    $button.MinimumSize = New-Object Drawing.Size 110, 34
    $button.Margin = New-Object Windows.Forms.Padding 4
    $button.Add_Click({ $script:asked.code = [int]$this.Tag; $script:asked.form.Close() })
    return $button
}

# Above all others without taking the keyboard from what is being typed; it can be moved, not lost.
function New-AskedForm {
    $form = New-Object Windows.Forms.Form
    $form.Text = Get-AskedText 'title'
    $form.AutoScaleMode = 'Dpi'
    $form.AutoSize = $true
    $form.AutoSizeMode = 'GrowAndShrink'
    $form.FormBorderStyle = 'FixedDialog'
    $form.MaximizeBox = $false
    $form.MinimizeBox = $isCountdown
    $form.ControlBox = $isCountdown
    $form.ShowInTaskbar = $true
    $form.TopMost = $true
    $form.StartPosition = 'CenterScreen'
    $form.Padding = New-Object Windows.Forms.Padding 16
    $panel = New-Object Windows.Forms.FlowLayoutPanel
    $panel.FlowDirection = 'TopDown'
    $panel.AutoSize = $true
    $panel.WrapContents = $false
    $text = New-Object Windows.Forms.Label
    $text.Text = Get-AskedText 'text'
    $text.MaximumSize = New-Object Drawing.Size 440, 0
    $text.AutoSize = $true
    $text.Margin = New-Object Windows.Forms.Padding 4, 4, 4, 12
    $rest = New-Object Windows.Forms.Label
    $rest.AutoSize = $true
    $rest.Margin = New-Object Windows.Forms.Padding 4, 0, 4, 12
    $buttons = New-Object Windows.Forms.FlowLayoutPanel
    $buttons.AutoSize = $true
    $buttons.MaximumSize = New-Object Drawing.Size 480, 0
    foreach ($code in $codes) { $buttons.Controls.Add((New-AskedButton $code)) }
    foreach ($control in $text, $rest, $buttons) { $panel.Controls.Add($control) }
    $form.Controls.Add($panel)
    # Enter and Escape answer nothing: somebody is typing when it appears.
    $form.ActiveControl = $text
    return @{ form = $form; rest = $rest }
}

function Show-Asked {
    Add-Type -AssemblyName System.Windows.Forms
    Add-Type -AssemblyName System.Drawing
    [Windows.Forms.Application]::EnableVisualStyles()
    $made = New-AskedForm
    $script:asked = @{ code = $silent; form = $made.form; rest = $made.rest }
    $timer = New-Object Windows.Forms.Timer
    $timer.Interval = 500
    $timer.Add_Tick({
            $script:asked.rest.Text = Get-AskedRest
            if ($watch.Elapsed.TotalSeconds -ge $seconds) { $script:asked.form.Close() }
        })
    $made.rest.Text = Get-AskedRest
    $timer.Start()
    # Not ShowDialog: this window has no owner, and Run ends with it.
    [Windows.Forms.Application]::Run($made.form)
    $timer.Dispose()
    return $script:asked.code
}

$language = Get-AskedLanguage
exit (Show-Asked)
